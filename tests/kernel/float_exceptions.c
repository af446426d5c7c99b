/* The exceptions that arithmetic leaves in the flags, and what is done with denormal numbers. */
#include <fenv.h>
#include <stdio.h>
#include <float.h>
#include <math.h>
#include <xmmintrin.h>
#include <pmmintrin.h>
static int raised(void) { int n = fetestexcept(FE_ALL_EXCEPT) ; feclearexcept(FE_ALL_EXCEPT); return n; }
int main(void) {
  volatile double zero = 0, one = 1, three = 3, huge = DBL_MAX, tiny = DBL_MIN, result;
  volatile float f = FLT_MIN, g = 3;
  feclearexcept(FE_ALL_EXCEPT);
  printf("none %x\n", raised());
  result = one / zero; printf("divide %x\n", raised());
  result = zero / zero; printf("invalid %x\n", raised());
  result = one / three; printf("inexact %x\n", raised());
  result = huge * huge; printf("overflow %x\n", raised());
  result = tiny / three; printf("underflow %x\n", raised());
  result = tiny / 2; printf("exact denormal %x %d\n", raised() & ~2, result != 0);
  f = f / g; printf("float underflow %x %d\n", raised(), f != 0);
  result = sqrt(-one); printf("sqrt %x\n", raised());
  printf("int %ld %x\n", lrint(1e300 * one), raised());
  printf("int %d %x\n", (int)(one / three), raised());
  printf("compare %d %x\n", (zero / zero) < one, raised());
  fexcept_t saved; fenv_t environment;
  result = one / zero; fegetexceptflag(&saved, FE_ALL_EXCEPT);
  feclearexcept(FE_ALL_EXCEPT); printf("cleared %x\n", fetestexcept(FE_ALL_EXCEPT));
  fesetexceptflag(&saved, FE_ALL_EXCEPT); printf("set %x\n", raised());
  feraiseexcept(FE_OVERFLOW); printf("raise %x\n", raised() & ~FE_INEXACT);
  result = one / three; feholdexcept(&environment); printf("hold %x\n", raised());
  result = one / zero; feupdateenv(&environment); printf("update %x\n", raised());
  _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
  result = tiny / three; printf("flushed %d %x\n", result != 0, raised());
  _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_OFF);
  result = tiny / three; volatile double denormal = result; raised();
  _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
  result = denormal * huge; printf("denormals are zero %d %x\n", result != 0, raised());
  _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_OFF);
  result = denormal * huge; printf("denormal %d %x\n", result != 0, raised());
  __m128 a = _mm_set_ps(1, 0, 3, 4), b = _mm_setzero_ps();
  volatile __m128 c = a / b; printf("vector %x\n", raised());
  for (int i = 1; i < 50; i++) {
    __m128 v = _mm_set_ps(i * 1e-3f, i, i * 7.3f, 1e30f / i);
    float out[16];
    _mm_storeu_ps(out, _mm_rcp_ps(v)); _mm_storeu_ps(out + 4, _mm_rsqrt_ps(v));
    _mm_storeu_ps(out + 8, _mm_rcp_ss(v)); _mm_storeu_ps(out + 12, _mm_rsqrt_ss(v));
    for (int k = 0; k < 16; k++) printf("%a ", out[k]);
    printf("%x\n", raised());
  }
  printf("csr %x\n", _mm_getcsr() & ~_MM_EXCEPT_DENORM);
}
