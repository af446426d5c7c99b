	.globl c,p,q,s
c: p: q: s: t: nop
	.symver c, cc@@@V4
	.symver p, pp@V5, remove
	.symver q, qq@V6, local
	.symver s, ss@V7, hidden
	.symver t, tt@V8
	.symver u, uu@@@V4
	.symver u2, uu2@V4
	call u
	call u2
	call c
	call p
	call q
	.weak v
	.symver v, vv@V1
	call v
