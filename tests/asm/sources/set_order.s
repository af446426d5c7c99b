	movsd .LA(%rip), %xmm0
	movsd .LB(%rip), %xmm0
	.set .LC, .LB+1
	movsd .LC(%rip), %xmm0
	.set .LA, .LB
	.LE = .LB + 2
	movsd .LE(%rip), %xmm0
	movsd .LG(%rip), %xmm0
	.set .LH, .LI
	.LG = .LI
	.data
.LB: .quad 0
.LI: .quad 0
	.set .LK, 5
	.quad .LK
