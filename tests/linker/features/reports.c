//// ABOUT --trace, --trace-symbol, --dependency-file
//// BUILD gcc -c -O1 -fno-pie -fno-stack-protector m.c x.c u.c && ar rcs libx.a x.o u.o
//// LINK ld -o m m.o -L. -lx -e main --dependency-file=m.d
//// SHOW ld -o m m.o -L. -lx -e main --trace
//// PRINTS m.o
//// PRINTS ./libx.a
//// SHOW ld -o m m.o -L. -lx -e main -y x --trace-symbol=main 2>&1 | sed 's/.*ld: //'
//// PRINTS m.o: definition of main
//// PRINTS m.o: reference to x
//// PRINTS ./libx.a(x.o): definition of x
//// SHOW tr -d '\\\n' < m.d | sed 's/  */ /g'
//// PRINTS m: m.o ./libx.am.o:./libx.a:
//// DIFFERS lld output: it has forms of its own
//// DIFFERS mold output segments: it has forms of its own
//// FILE u.c
int unused(void) { return 2; }
//// FILE x.c
int x(void) { return 1; }
//// FILE m.c
int x(void);
int main(void) { return x(); }
