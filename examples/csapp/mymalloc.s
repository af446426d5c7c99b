# mymalloc.s: run-time interposition (CS:APP 7.13.3)
#
# As mymalloc.so it is loaded in front of libc.so.6 by LD_PRELOAD, so every
# call of malloc and free in the whole process arrives here first.
#
# "Every call" includes those that printf makes for the buffer of stdout. A
# wrapper that always prints would therefore call itself without end on
# today's glibc; `printing` lets the inner calls through in silence.

        .set    RTLD_NEXT, -1

        .text

# void *malloc(size_t size): the size stays in %rbp, the block in %rbx
        .globl  malloc
        .type   malloc, @function
malloc:
        pushq   %rbx
        pushq   %rbp
        subq    $8, %rsp
        movq    %rdi, %rbp

        movq    real_malloc(%rip), %rax
        testq   %rax, %rax
        jnz     .Lmalloc_known
        leaq    malloc_name(%rip), %rdi
        call    next_definition
        movq    %rax, real_malloc(%rip)
.Lmalloc_known:
        movq    %rbp, %rdi
        call    *%rax
        movq    %rax, %rbx

        cmpl    $0, printing(%rip)
        jne     .Lmalloc_done
        movl    $1, printing(%rip)
        leaq    malloc_format(%rip), %rdi
        movq    %rbp, %rsi
        movq    %rbx, %rdx
        xorl    %eax, %eax
        call    printf@PLT
        movl    $0, printing(%rip)
.Lmalloc_done:
        movq    %rbx, %rax
        addq    $8, %rsp
        popq    %rbp
        popq    %rbx
        ret
        .size   malloc, .-malloc

# void free(void *block): the block stays in %rbx
        .globl  free
        .type   free, @function
free:
        testq   %rdi, %rdi
        jz      .Lfree_nothing
        pushq   %rbx
        movq    %rdi, %rbx

        movq    real_free(%rip), %rax
        testq   %rax, %rax
        jnz     .Lfree_known
        leaq    free_name(%rip), %rdi
        call    next_definition
        movq    %rax, real_free(%rip)
.Lfree_known:
        movq    %rbx, %rdi
        call    *%rax

        cmpl    $0, printing(%rip)
        jne     .Lfree_done
        movl    $1, printing(%rip)
        leaq    free_format(%rip), %rdi
        movq    %rbx, %rsi
        xorl    %eax, %eax
        call    printf@PLT
        movl    $0, printing(%rip)
.Lfree_done:
        popq    %rbx
.Lfree_nothing:
        ret
        .size   free, .-free

# static void *next_definition(const char *name): that of libc.so.6
        .type   next_definition, @function
next_definition:
        subq    $8, %rsp
        movq    %rdi, %rsi
        movq    $RTLD_NEXT, %rdi
        call    dlsym@PLT
        testq   %rax, %rax
        jz      .Lnot_found
        addq    $8, %rsp
        ret
.Lnot_found:
        call    dlerror@PLT
        movq    %rax, %rdx
        movq    stderr@GOTPCREL(%rip), %rdi
        movq    (%rdi), %rdi
        leaq    error_format(%rip), %rsi
        xorl    %eax, %eax
        call    fprintf@PLT
        movl    $1, %edi
        call    exit@PLT
        .size   next_definition, .-next_definition

        .section .rodata
malloc_name:
        .string "malloc"
free_name:
        .string "free"
malloc_format:
        .string "malloc(%zu) = %p\n"
free_format:
        .string "free(%p)\n"
error_format:
        .string "%s\n"

        .bss
        .local  real_malloc, real_free, printing
        .balign 8
real_malloc:
        .zero   8
real_free:
        .zero   8
printing:
        .zero   4

        .section .note.GNU-stack,"",@progbits
