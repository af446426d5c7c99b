//// ABOUT copy relocations, also of variables with several names
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 -fno-pie -mno-direct-extern-access m.c 2>/dev/null || gcc -c -O1 -fno-pie m.c; gcc -c -O1 -fPIC x.c
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -no-pie -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS 5 6 6 6
//// SHOW readelf -rW m | grep COPY | awk '{print $3, $5}'
//// FILE x.c
int variable = 5;
extern int alias __attribute__((alias("variable")));
extern int weak_alias __attribute__((weak, alias("variable")));
int get(void) { return alias; }
//// FILE m.c
#include <stdio.h>
extern int variable, weak_alias;
int get(void);
int main(void) {
    printf("%d ", variable);
    variable = 6;
    printf("%d %d %d\n", variable, get(), weak_alias);
    return 0;
}
