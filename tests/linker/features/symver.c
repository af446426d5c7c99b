//// ABOUT .symver with @, @@ and @@@, defined and used
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 old.c new.c three.c
//// LINK gcc -shared -o libx.so x.o -Wl,--version-script,x.map -Wl,-soname,libx.so
//// LINK gcc -o old old.o ./libx.so -Wl,-rpath,.
//// LINK gcc -o new new.o ./libx.so -Wl,-rpath,.
//// LINK gcc -o three three.o ./libx.so -Wl,-rpath,.
//// RUN ./old; ./new; ./three
//// PRINTS 1 3
//// PRINTS 2 3
//// PRINTS 3
//// DIFFERS lld versions: it writes no inheritance of versions
//// LACKS mold: it has no @@@ of a reference
//// FILE x.map
V1 { global: f; local: *; };
V2 { } V1;
//// FILE x.c
__asm__(".symver f1, f@V1");
__asm__(".symver f2, f@@V2");
__asm__(".symver g, g@@@V2");
int f1(void) { return 1; }
int f2(void) { return 2; }
int g(void) { return 3; }
//// FILE old.c
#include <stdio.h>
__asm__(".symver f, f@V1");
int f(void), g(void);
int main(void) { printf("%d %d\n", f(), g()); return 0; }
//// FILE new.c
#include <stdio.h>
int f(void), g(void);
int main(void) { printf("%d %d\n", f(), g()); return 0; }
//// FILE three.c
#include <stdio.h>
__asm__(".symver g, g@@@V2");
int g(void);
int main(void) { printf("%d\n", g()); return 0; }
