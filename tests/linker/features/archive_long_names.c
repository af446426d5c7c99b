//// ABOUT archive with long names, spaces and an odd size
//// BUILD gcc -c -O1 m.c && gcc -c -O1 -o a_member_whose_name_is_longer_than_sixteen.o a.c
//// BUILD gcc -c -O1 -o "two words.o" b.c && printf odd > note.txt
//// BUILD ar rcs libx.a note.txt a_member_whose_name_is_longer_than_sixteen.o "two words.o"
//// LINK gcc -o m m.o libx.a
//// RUN ./m
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
