	.file "t.c"
	.text
	.file 1 "sub/a.h"
f: .loc 1 1 1
	nop
	.loc 1 2 3 
	nop
	.section .debug_info
	.long 1
