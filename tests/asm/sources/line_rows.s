	.file "t.c"
	.text
	.file 0 "/tmp/d" "t.c" md5 0x0123456789abcdef0123456789abcdef
	.file 1 "sub/a.h"
	.file 2 "/usr/include" "b.h" md5 0x1123456789abcdef0123456789abcdef
f: .loc 1 1 1
	nop
	.loc 1 2 3 is_stmt 0
	nop
	.loc 2 5 0 prologue_end
	nop
	.loc 1 100 epilogue_begin
	nop
	.loc 1 101 0 basic_block discriminator 5
	nop
	.loc 1 101 0 isa 3
	nop
	.loc 1 102 1 view .LV0
	.loc 1 103 1 view .LV1
	nop
	.loc 1 104 1 view -0
	nop
lab: nop
	.loc 0 5
	nop
	.loc 1 5000 70
	.skip 1000
	nop
	.uleb128 .LV0, .LV1
	.section .text.y,"ax"
	.loc 1 7
	nop
	.text 3
	.loc 1 9
	nop
	.section .debug_info
	.long .debug_line
