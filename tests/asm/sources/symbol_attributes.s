	.globl a,b , c
	.weak w
	.hidden h
	.internal i
	.protected p
	.local l
a: b: nop
c=a+1
	.set d, b+4
	.equ e, 5
	.equiv ee, 6
	.type a,@function
	.type b,@object
	.type tl,@tls_object
	.type w,@notype
	.type ifn,@gnu_indirect_function
	.type uq,@gnu_unique_object
	.comm c1,8,8
	.lcomm lc,16
	.comm c2,4
	.local lcm
	.comm lcm,4,4
	.size a, .-a
	.size b, 4+4
h: i: p: l: nop
ifn: ret
	.data
uq: .long 1
	.section .tdata,"awT"
tl: .long 2
	.text
	.symver a, a@V1
	.symver undef1, u@V3
	.symver c, cc@@@V4
	.symver p, pp@V5, remove
	call undef1
	call w
	.weakref wr, target
	call wr
	.global "quoted name"
"quoted name": nop
	.long e, ee, d-a
	.type STT_x, STT_FUNC
STT_x: nop
	.desc: nop
	lea lc(%rip),%rax
	mov $lcm, %eax
	.extern foo
	.ident "mine"
	.version "1.2"
