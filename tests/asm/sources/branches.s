 .globl f
f: nop
 jmp f
 jne f
 call f
 .fill 200
 jmp f
 jmp f@PLT
 .globl g
 jmp g
 leaq f(%rip),%rax
 jmp w
 .weak w
w: .hidden h
 .globl h
h: ret
 jmp h
g: ret
