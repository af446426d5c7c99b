	.text
	.globl f
f:	.cfi_startproc
	.cfi_personality 0x9b, DW.ref.personality
	.cfi_lsda 0x1b, .LLSDA
	pushq %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq %rsp, %rbp
	.cfi_def_cfa_register 6
	.cfi_remember_state
	leave
	.cfi_restore 6
	.cfi_def_cfa 7, 8
	ret
	.cfi_restore_state
	.skip 200, 0x90
	.cfi_escape 0xf, 0x3, 0x77, 0x8, 0x6
	.skip 1000, 0x90
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset 3, 0
	.cfi_same_value 12
	.cfi_undefined 13
	.cfi_register 14, 15
	nop
	.cfi_escape 0x2e, 0x10
	.skip 70000, 0x90
	.cfi_endproc
g:	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_return_column 16
	.cfi_def_cfa 7, 16
	nop
	.cfi_val_offset 4, 8
	.cfi_endproc
h:	.cfi_startproc
	ret
	.cfi_endproc
	.section .gcc_except_table,"a",@progbits
.LLSDA:	.byte 0
