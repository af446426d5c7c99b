# int.s: the program whose malloc and free are interposed (CS:APP 7.13)

        .text
        .globl  main
        .type   main, @function
main:
        subq    $8, %rsp

        movl    $32, %edi
        call    malloc@PLT              # block = malloc(32)

        movq    %rax, %rdi
        call    free@PLT                # free(block)

        xorl    %eax, %eax              # return 0
        addq    $8, %rsp
        ret
        .size   main, .-main

        .section .note.GNU-stack,"",@progbits
