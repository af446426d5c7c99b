	.if 1
	.byte 1
	.else
	.byte 2
	.endif
	.if 0
	.byte 1
	.elseif 0
	.byte 2
	.elseif 1
	.byte 3
	.else
	.byte 4
	.endif
	.ifdef x
	.byte 1
	.endif
x:
	.ifdef x
	.byte 2
	.endif
	.ifndef y
	.byte 3
	.endif
	.ifnotdef y
	.byte 4
	.endif
	.ifb
	.byte 5
	.endif
	.ifb  a
	.byte 6
	.endif
	.ifnb a
	.byte 7
	.endif
	.ifc a,a
	.byte 8
	.endif
	.ifc a b , a b
	.byte 9
	.endif
	.ifnc a,b
	.byte 10
	.endif
	.ifeqs "a","a"
	.byte 11
	.endif
	.ifnes "a","b"
	.byte 12
	.endif
	.ifeq 0
	.byte 13
	.endif
	.ifne 1
	.byte 14
	.endif
	.ifge 0
	.byte 15
	.endif
	.ifgt 1
	.byte 16
	.endif
	.ifle 0
	.byte 17
	.endif
	.iflt -1
	.byte 18
	.endif
	.if 1
	.if 0
	.byte 1
	.else
	.byte 19
	.endif
	.endif
	.if x == x
	.byte 20
	.endif
	.ifc "a","a"
	.byte 21
	.endif
	.if 0
	.error "no"
	.macro foo
	.endm
	.else; .byte 22; .endif
