	.section .a,"aw",@progbits
	.long 1
	.section .b,"awx",%progbits
	nop
	.section .n,"",@note
	.long 4
	.section .i,"aw",@init_array
	.quad f
	.section .fi,"aw",@fini_array
	.quad f
	.section .pi,"aw",@preinit_array
	.quad f
	.section .ms,"aMS",@progbits,1
	.string "x"
	.section .m8,"aM",@progbits,8
	.quad 1
	.section .t,"awT",@progbits
	.long 5
	.section .tb,"awT",@nobits
	.zero 8
	.section .e,"e",@progbits
	.long 1
	.section .g,"axG",@progbits,grp,comdat
f: ret
	.section .g2,"aG",@progbits,grp
	.long 1
	.section .ax,"ax?"
	nop
	.section .o,"ao",@progbits,.text
	.long 1
	.section .r,"aR",@progbits
	.long 1
	.section .num,"a",@0x6fff4700
	.long 1
	.section .u,"a",@progbits,unique,3
	.long 1
	.section .u,"a",@progbits,unique,4
	.long 2
	.section .flagnum,"0x6",@progbits
	nop
	.section .l,"al",@progbits
	.long 1
	.section .ldata,"awl",@progbits
	.long 2
	.pushsection .text, 2
	nop
	.popsection
	.text 1
	int3
	.subsection 0
	hlt
	.previous
	ud2
	.section .bss.foo
	.zero 3
	.section .rodata.bar
	.byte 1
	.section .init_array.5,"aw"
	.quad 0
	.section .note.GNU-stack,"",@progbits
	.section .comment
	.section .debug_foo
	.byte 2
	.section .gnu.linkonce.t.x,"ax"
	nop
	.byte 1
	.attach_to_group grp
