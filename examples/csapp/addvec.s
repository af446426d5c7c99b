# addvec.s: void addvec(int *x, int *y, int *z, int n)
#
#   x in %rdi, y in %rsi, z in %rdx, n in %ecx

        .text
        .globl  addvec
        .type   addvec, @function
addvec:
        # addcnt is global: another module may define its own, so its address
        # comes out of the GOT, where the dynamic linker has put it.
        movq    addcnt@GOTPCREL(%rip), %rax
        addl    $1, (%rax)

        xorl    %eax, %eax              # i = 0
        jmp     .Ltest
.Lloop:
        movl    (%rdi,%rax,4), %r8d     # x[i]
        addl    (%rsi,%rax,4), %r8d     #      + y[i]
        movl    %r8d, (%rdx,%rax,4)     # z[i] =
        addq    $1, %rax                # i++
.Ltest:
        cmpl    %ecx, %eax              # i < n?
        jl      .Lloop
        ret
        .size   addvec, .-addvec

        .bss
        .globl  addcnt
        .type   addcnt, @object
        .size   addcnt, 4
        .balign 4
addcnt:
        .zero   4

        .section .note.GNU-stack,"",@progbits
