//// ABOUT thin archive, also in another folder, and nested
//// BUILD mkdir d && gcc -c -O1 a.c m.c && gcc -c -O1 -o d/a_member_with_a_long_name.o b.c
//// BUILD ar rcT libx.a a.o d/a_member_with_a_long_name.o && cd d && ar rcT liby.a a_member_with_a_long_name.o
//// LINK gcc -o m m.o -L. -lx
//// LINK gcc -o n m.o a.o d/liby.a
//// RUN ./m; ./n
//// PRINTS 3
//// PRINTS 3
//// FILE a.c
int b(void);
int a(void) { return b() + 1; }
//// FILE b.c
int b(void) { return 2; }
//// FILE m.c
#include <stdio.h>
int a(void);
int main(void) { printf("%d\n", a()); return 0; }
