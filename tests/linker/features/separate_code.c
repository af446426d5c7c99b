//// ABOUT -z separate-code and noseparate-code: permissions of segments
//// BUILD gcc -c -O1 -fPIC m.c
//// LINK gcc -o a m.o -Wl,-z,separate-code
//// LINK gcc -o b m.o -Wl,-z,noseparate-code
//// LINK gcc -shared -o c.so m.o -Wl,-z,noseparate-code
//// RUN ./a; ./b
//// PRINTS 1
//// PRINTS 1
//// DIFFERS lld segments: its noseparate-code keeps constants apart
//// DIFFERS mold segments: its noseparate-code keeps constants apart
//// FILE m.c
#include <stdio.h>
int main(void) { printf("%d\n", 1); return 0; }
