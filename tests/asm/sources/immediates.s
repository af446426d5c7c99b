	.section .rodata.str1.1,"aMS",@progbits,1
.LA: .string "abcdefgh"
.LB: .string "ijklmnop"
.LC: .string "qrst"
	.text
	movl $.LA, %edx
	movl $.LA+4, %edx
	movq $.LB+1, 8(%rsp)
	movl $.LB+1, .LC(%rip)
	pushq $.LB
mark:	nop
	.quad .LC+1
