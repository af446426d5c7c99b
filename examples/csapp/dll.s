# dll.s: loads libvector.so while it is running (CS:APP 7.11)
#
# No part of libvector.so is named at link time: dlopen maps the library and
# its dependencies, dlsym looks a symbol up in it, dlclose lets it go again.

        .set    RTLD_LAZY, 1

        .text
        .globl  main
        .type   main, @function
main:
        pushq   %rbx                    # the library's handle

        leaq    library_path(%rip), %rdi
        movl    $RTLD_LAZY, %esi
        call    dlopen@PLT
        testq   %rax, %rax
        jz      .Lfailed
        movq    %rax, %rbx

        movq    %rbx, %rdi
        leaq    symbol_name(%rip), %rsi
        call    dlsym@PLT
        testq   %rax, %rax
        jz      .Lfailed

        leaq    x(%rip), %rdi
        leaq    y(%rip), %rsi
        leaq    z(%rip), %rdx
        movl    $2, %ecx
        call    *%rax                   # addvec(x, y, z, 2)

        leaq    format(%rip), %rdi
        movl    z(%rip), %esi
        movl    z+4(%rip), %edx
        xorl    %eax, %eax
        call    printf@PLT

        movq    %rbx, %rdi
        call    dlclose@PLT
        testl   %eax, %eax
        jnz     .Lfailed

        xorl    %eax, %eax              # return 0
        popq    %rbx
        ret

.Lfailed:
        call    dlerror@PLT
        movq    %rax, %rdx              # the message
        movq    stderr@GOTPCREL(%rip), %rdi
        movq    (%rdi), %rdi            # stderr is a variable of libc
        leaq    message(%rip), %rsi
        xorl    %eax, %eax
        call    fprintf@PLT             # fprintf(stderr, "%s\n", dlerror())
        movl    $1, %edi
        call    exit@PLT
        .size   main, .-main

        .section .rodata
library_path:
        .string "./libvector.so"
symbol_name:
        .string "addvec"
format: .string "z = [%d %d]\n"
message:
        .string "%s\n"

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
