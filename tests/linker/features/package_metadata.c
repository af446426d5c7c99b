//// ABOUT --package-metadata: a note about the package
//// BUILD gcc -c -O1 m.c
//// LINK ld -o m m.o -e main '--package-metadata={"type":"deb"}'
//// SHOW readelf -nW m | grep -o '{.*}'
//// PRINTS {"type":"deb"}
//// SHOW readelf -SW m | grep -c note.package
//// PRINTS 1
//// SHOW ld -o n m.o -e main --package-metadata=nothing 2>&1 | grep -c -i 'warning: --package-metadata=nothing'
//// PRINTS 1
//// LACKS lld: 14 does not know the option
//// LACKS mold: 1.10 does not know the option
//// FILE m.c
int main(void) { return 0; }
