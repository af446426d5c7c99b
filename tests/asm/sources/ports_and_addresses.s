# Numbers of interrupts and ports that are symbols, and addresses in call frame information.
	.text
f:	.cfi_startproc
	int $known
	int $unknown
	in $known, %al
	inb $unknown, %al
	in $unknown, %ax
	inl $unknown, %eax
	.cfi_val_encoded_addr 16, 0x1b, g
	out %al, $unknown
	outw %ax, $known
	out %eax, $unknown
	.cfi_val_encoded_addr 3, 0, g
	rep ret
	.cfi_val_encoded_addr 3, 0x10, g
	rep bsf %eax, %ebx
	rep; xchg %eax, %ebx
	.cfi_val_encoded_addr 3, 3, g
	repne scasb
	.cfi_endproc
	.section .x, "ax"
g:	ret
	.set known, 7
