# wrapmalloc.s: link-time interposition (CS:APP 7.13.2)
#
# With --wrap malloc the linker turns every reference to malloc in the files
# that it links into __wrap_malloc, and __real_malloc into malloc. Calls from
# inside libc.so.6 are not the linker's to change, so printf is safe here.

        .text

# void *__wrap_malloc(size_t size): the size stays in %rbp, the block in %rbx
        .globl  __wrap_malloc
        .type   __wrap_malloc, @function
__wrap_malloc:
        pushq   %rbx
        pushq   %rbp
        subq    $8, %rsp
        movq    %rdi, %rbp

        call    __real_malloc@PLT
        movq    %rax, %rbx

        leaq    malloc_format(%rip), %rdi
        movq    %rbp, %rsi
        movq    %rbx, %rdx
        xorl    %eax, %eax
        call    printf@PLT

        movq    %rbx, %rax
        addq    $8, %rsp
        popq    %rbp
        popq    %rbx
        ret
        .size   __wrap_malloc, .-__wrap_malloc

# void __wrap_free(void *block): the block stays in %rbx
        .globl  __wrap_free
        .type   __wrap_free, @function
__wrap_free:
        pushq   %rbx
        movq    %rdi, %rbx
        call    __real_free@PLT

        leaq    free_format(%rip), %rdi
        movq    %rbx, %rsi
        xorl    %eax, %eax
        call    printf@PLT
        popq    %rbx
        ret
        .size   __wrap_free, .-__wrap_free

        .section .rodata
malloc_format:
        .string "malloc(%zu) = %p\n"
free_format:
        .string "free(%p)\n"

        .section .note.GNU-stack,"",@progbits
