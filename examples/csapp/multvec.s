# multvec.s: void multvec(int *x, int *y, int *z, int n)
#
#   x in %rdi, y in %rsi, z in %rdx, n in %ecx

        .text
        .globl  multvec
        .type   multvec, @function
multvec:
        # multcnt is global: another module may define its own, so its address
        # comes out of the GOT, where the dynamic linker has put it.
        movq    multcnt@GOTPCREL(%rip), %rax
        addl    $1, (%rax)

        xorl    %eax, %eax              # i = 0
        jmp     .Ltest
.Lloop:
        movl    (%rdi,%rax,4), %r8d     # x[i]
        imull   (%rsi,%rax,4), %r8d     #      * y[i]
        movl    %r8d, (%rdx,%rax,4)     # z[i] =
        addq    $1, %rax                # i++
.Ltest:
        cmpl    %ecx, %eax              # i < n?
        jl      .Lloop
        ret
        .size   multvec, .-multvec

        .bss
        .globl  multcnt
        .type   multcnt, @object
        .size   multcnt, 4
        .balign 4
multcnt:
        .zero   4

        .section .note.GNU-stack,"",@progbits
