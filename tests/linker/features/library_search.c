//// ABOUT -L in its order, -l:FILE, shared before archive, -Bstatic
//// BUILD mkdir one two && gcc -c -O1 -fPIC -DV=1 -o one.o v.c && gcc -c -O1 -fPIC -DV=2 -o two.o v.c
//// BUILD gcc -c -O1 m.c && gcc -shared -o one/libv.so one.o -Wl,-soname,libv.so && ar rcs two/libv.a two.o
//// LINK gcc -o a m.o -Lone -Ltwo -lv -Wl,-rpath,one
//// LINK gcc -o b m.o -lv -Ltwo -Lone
//// LINK gcc -o c m.o -Lone -Ltwo -l:libv.a
//// LINK gcc -o d m.o -Lone -Ltwo -Wl,-Bstatic -lv -Wl,-Bdynamic
//// FAILS gcc -o e m.o -Lone -Wl,-Bstatic -lv -Wl,-Bdynamic
//// SAYS cannot find -lv
//// RUN ./a; ./b; ./c; ./d
//// PRINTS 1
//// PRINTS 2
//// PRINTS 2
//// PRINTS 2
//// FILE v.c
int v(void) { return V; }
//// FILE m.c
#include <stdio.h>
int v(void);
int main(void) { printf("%d\n", v()); return 0; }
