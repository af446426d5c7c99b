	.section .a,"aw"
	.quad f, h, f+1
	.section .g,"axG",@progbits,grp,comdat
	.quad f
f: ret
	.section .g2,"axG",@progbits,grp,comdat
	.quad f
	.section .h,"axG",@progbits,grp2
h: ret
	.quad h
	.section .gnu.linkonce.t.x,"ax"
k: ret
	.quad k
	.text
	.quad k
	call f
	lea f(%rip),%rax
