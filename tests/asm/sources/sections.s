	.section .rodata
	.byte 1
	.section .mine,"aw",@progbits
	.long 2
	.section .strings,"aMS",@progbits,1
.LS0:	.string "merge"
.LS1:	.string "more"
	.section .consts,"aM",@progbits,8
	.quad 7
	.pushsection .init_array,"aw"
	.quad start
	.popsection
	.quad 8
	.text 1
	.byte 0x11
	.text 0
start:	.byte 0x22
	leaq .LS1(%rip), %rax
	.subsection 2
	.byte 0x33
	.previous
	.section .text.f,"axG",@progbits,f,comdat
	.globl f
f:	call start
	.section .note.test,"a",@note
	.long 4, 4, 1
	.asciz "GNU"
	.section .bss.big,"aw",@nobits
	.zero 100000
	.bss
	.skip 17
	.section .tbss,"awT",@nobits
	.zero 4
	.section .excluded,"e"
	.byte 1
	.section .debug_mine,"",@progbits
	.quad .LS0, start
	.ident "pyldso"
	.ident "again"
	.section __links,"ao",@progbits,start
	.quad start
	.section .note.GNU-stack,"",@progbits
