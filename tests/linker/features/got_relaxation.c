//// ABOUT GOTPCRELX and REX_GOTPCRELX: loads, calls and jumps without the GOT where it can be
//// BUILD gcc -c -O1 -fPIC m.c x.c && gcc -c t.s
//// LINK gcc -pie -o a m.o x.o t.o
//// LINK gcc -no-pie -o b m.o x.o t.o
//// LINK gcc -static -o c m.o x.o t.o
//// LINK gcc -pie -o d m.o x.o t.o -Wl,--no-relax
//// RUN ./a; ./b; ./c; ./d
//// PRINTS 5 6 7 1 1 1 1
//// PRINTS 5 6 7 1 1 1 1
//// PRINTS 5 6 7 1 1 1 1
//// PRINTS 5 6 7 1 1 1 1
//// SHOW for p in a b d; do objdump -d --disassemble=load $p | awk '/load>:$/ {on=1} on && NF {print $NF}' | grep -c 'rip'; done
//// SHOW objdump -d --disassemble=load a | grep -o -e 'lea ' -e 'mov ' | sort | uniq -c | sed 's/^ *//'
//// DIFFERS mold output: it disassembles the same code with other names
//// FILE t.s
.text
.globl load, compare, tail
load:
  movq value@GOTPCREL(%rip), %rax
  ret
compare:
  cmpq value@GOTPCREL(%rip), %rdi
  sete %al
  movzbl %al, %eax
  ret
tail:
  jmp *called@GOTPCREL(%rip)
.globl test_it, add_it
test_it:
  movq value@GOTPCREL(%rip), %rax
  testq %rax, value@GOTPCREL(%rip)
  setne %al
  movzbl %al, %eax
  ret
add_it:
  xorl %eax, %eax
  addq value@GOTPCREL(%rip), %rax
  ret
.section .note.GNU-stack,"",@progbits
//// FILE x.c
int value = 5, other = 6;
int called(void) { return 7; }
//// FILE m.c
#include <stdio.h>
extern int value, other;
int called(void), compare(int *), tail(void), test_it(void);
int *load(void), *add_it(void);
int main(void) {
    printf("%d %d %d %d %d %d %d\n", *load(), other, tail(), compare(&value), load() == &value, test_it(),
           add_it() == &value);
    return called() - 7;
}
