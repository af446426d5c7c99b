# main2.s: int main(void), which is linked with libvector.so at load time

        .text
        .globl  main
        .type   main, @function
main:
        subq    $8, %rsp                # the stack is 16-byte aligned at a call

        leaq    x(%rip), %rdi
        leaq    y(%rip), %rsi
        leaq    z(%rip), %rdx
        movl    $2, %ecx
        call    addvec@PLT              # addvec(x, y, z, 2)

        leaq    format(%rip), %rdi
        movl    z(%rip), %esi
        movl    z+4(%rip), %edx
        xorl    %eax, %eax              # no vector registers hold arguments
        call    printf@PLT              # printf(format, z[0], z[1])

        xorl    %eax, %eax              # return 0
        addq    $8, %rsp
        ret
        .size   main, .-main

        .section .rodata
format: .string "z = [%d %d]\n"

        .data
        .balign 8
        .globl  x, y
        .type   x, @object
        .size   x, 8
x:      .long   1, 2
        .type   y, @object
        .size   y, 8
y:      .long   3, 4

        .bss
        .balign 8
        .globl  z
        .type   z, @object
        .size   z, 8
z:      .zero   8

        .section .note.GNU-stack,"",@progbits
