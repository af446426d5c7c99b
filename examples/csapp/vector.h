/* The interface of libvector.so, as in CS:APP chapter 7. */
#ifndef VECTOR_H
#define VECTOR_H

extern int addcnt;  /* how often addvec was called */
extern int multcnt; /* how often multvec was called */

void addvec(int *x, int *y, int *z, int n);
void multvec(int *x, int *y, int *z, int n);

#endif
