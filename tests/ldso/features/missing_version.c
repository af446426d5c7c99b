//// BUILD gcc -shared -fpic -Wl,--version-script,v1.map -Wl,-soname,libv.so -o libv.so v.c
//// BUILD gcc -o main main.c -L. -lv -Wl,-rpath,/nonexistent:$ORIGIN/.
//// BUILD gcc -shared -fpic -Wl,--version-script,vx.map -Wl,-soname,libv.so -o libv.so v.c
//// RUN LD_LIBRARY_PATH=. ./main
//// RUN LD_LIBRARY_PATH=. LD_BIND_NOW=1 ./main
//// FILE v1.map
V1 { global: f; };
//// FILE vx.map
VX { global: f; };
//// FILE v.c
int f(void) { return 1; }
//// FILE main.c
// A version that is not there ends the program before its start, with status 1.
int f(void);
int main(void) { return f(); }
