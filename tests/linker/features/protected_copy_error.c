//// ABOUT a protected variable cannot be copied into the program
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 -fno-pie m.c && gcc -shared -o libx.so x.o
//// FAILS gcc -no-pie -o m m.o ./libx.so
//// SAYS cannot copy the variable v into the program: it is protected
//// LACKS ld: 2.40 copies it all the same
//// FILE x.c
__attribute__((visibility("protected"))) int v = 2;
//// FILE m.c
extern int v;
int main(void) { return v; }
