	.file 1 "a.c"
	.text
	.section .debug_info,"",@progbits
	.long 1
	.text
	.loc 1 1 1
	nop
	.loc 1 2 1
	.p2align 4
	.loc 1 3
	nop
	.loc 1 4 view .LV1
	.byte 3
	nop
	.loc 1 5 view -0
	.byte 1
	nop
	.loc 1 6 view 0
	.skip 2
	nop
	.section .entries,"awo",@progbits,later
	.quad later
	.text
later:	ret
