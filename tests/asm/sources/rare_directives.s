# Relocations by hand, sections told apart by number, extended floats, labels in call frames.
	.text
a:	nop
	nop
	.reloc 0, R_X86_64_NONE, foo
	.reloc ., R_X86_64_PC32, a
	.reloc 1, R_X86_64_8
	.skip 16
	.data
d:	.quad 0
	.reloc d, R_X86_64_64, a
	.reloc d+2, R_X86_64_16, zoo-2
	.tfloat 1.5, -0.1, 1e300, 0, 1e-4940, 3, -0.0
	.section .foo,"ax",@progbits,unique,1
	nop
	.section .foo,"ax",@progbits,unique,2
	ret
	.section .foo,"ax",@progbits
	int3
	.section .foo,"ax",@progbits,unique,1
	nop
	.section .bar,"aMS",@progbits,1,unique,7
	.string "x"
	.section .foo
	hlt
	.text
f:	.cfi_startproc
	push %rbp
	.cfi_def_cfa_offset 16
	.cfi_label lab
	.cfi_offset 6, -16
	pop %rbp
	.cfi_label lab2
	ret
	.cfi_endproc
	.data
	.quad lab, lab2
	.quad zoo+0xfffffffffffffff0
