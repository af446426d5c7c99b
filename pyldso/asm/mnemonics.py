"""Why an instruction has no encoding, in words for a person; read only when one has none."""

from __future__ import annotations

import re

from pyldso.asm.att import split_operands
from pyldso.asm.encoder import INTEL, INVALID, NOT_SYMBOLIC, Template
from pyldso.asm.errors import StatementError
from pyldso.asm.evex import needs_evex
from pyldso.asm.registers import suffix_of
from pyldso.asm.special import BRANCHES, CONDITION_CODES, FIXED, FIXED_BRANCHES, PREFIXES
from pyldso.asm.stand_ins import STAND_INS, VEX
from pyldso.spelling import similar

# Mnemonics that take the suffixes b, w, l and q in AT&T syntax.
_SIZED = """
adc add and bsf bsr bswap bt btc btr bts cmp cmpxchg crc32 dec div idiv imul in inc lar lea lods
lsl mov movabs movbe movnti mul neg nop not or out pop popcnt push pushf popf rcl rcr rol ror sal
sar sbb scas shl shld shr shrd stos sub test xadd xchg xor lzcnt tzcnt ret leave movs cmps ins outs
enter call jmp iret andn bextr blsi blsmsk blsr bzhi mulx pdep pext rorx sarx shlx shrx adcx adox
""".split()  # noqa: SIM905 - a table of words

_PLAIN = """
cbtw cbw cdq cdqe clc cld cli cltd cltq cmc cmpxchg8b cmpxchg16b cpuid cqo cqto cwd cwde cwtd cwtl
hlt int int3 invd invlpg lahf lfence mfence sfence lgdt lidt loop mfence monitor mwait movsbl movsbq
movsbw movslq movswl movswq movsx movsxd movzbl movzbq movzbw movzwl movzwq movzx pause prefetchnta
prefetcht0 prefetcht1 prefetcht2 prefetchw rdmsr rdpmc rdrand rdseed rdtsc rdtscp sahf stc std sti
syscall sysenter sysexit sysret ud2 wbinvd wrmsr xgetbv xlat swapgs clflush clflushopt clwb rdfsbase
rdgsbase wrfsbase wrgsbase xabort xend xtest
addpd addps addsd addss andpd andps andnpd andnps cmppd cmpps cmpsd cmpss comisd comiss cvtdq2pd
cvtdq2ps cvtpd2dq cvtpd2ps cvtps2dq cvtps2pd cvtsd2si cvtsd2ss cvtsi2sd cvtsi2sdl cvtsi2sdq cvtsi2ss
cvtsi2ssl cvtsi2ssq cvtss2sd cvtss2si cvttpd2dq cvttps2dq cvttsd2si cvttss2si divpd divps divsd
divss maxpd maxps maxsd maxss minpd minps minsd minss movapd movaps movd movddup movdqa movdqu
movhlps movhpd movhps movlhps movlpd movlps movmskpd movmskps movntdq movntps movq movsd movss
movupd movups mulpd mulps mulsd mulss orpd orps packssdw packsswb packuswb paddb paddd paddq paddw
palignr pand pandn pavgb pavgw pcmpeqb pcmpeqd pcmpeqw pcmpgtb pcmpgtd pcmpgtw pextrw pinsrw
pmaddwd pmaxsw pmaxub pminsw pminub pmovmskb pmulhuw pmulhw pmulld pmullw pmuludq por psadbw pshufb
pshufd pshufhw pshuflw pslld pslldq psllq psllw psrad psraw psrld psrldq psrlq psrlw psubb psubd
psubq psubw punpckhbw punpckhdq punpckhqdq punpckhwd punpcklbw punpckldq punpcklqdq punpcklwd pxor
roundpd roundps roundsd roundss shufpd shufps sqrtpd sqrtps sqrtsd sqrtss subpd subps subsd subss
ucomisd ucomiss unpckhpd unpckhps unpcklpd unpcklps xorpd xorps
fabs fadd faddp fchs fcom fcomi fcomip fcos fdiv fdivp fdivr fdivrp fild fildl fildll fist fistp
fistpl fistpll fld fld1 fldcw fldl fldl2e fldln2 fldpi flds fldt fldz fmul fmulp fnstcw fnstsw fprem
frndint fscale fsin fsqrt fst fstp fstpl fstps fstpt fsub fsubp fsubr fsubrp fucom fucomi fucomip
fxam fxch fyl2x emms
""".split()  # noqa: SIM905 - a table of words


def known_mnemonics() -> set[str]:
    """Return the names of common instructions, with their AT&T suffixes."""
    names = {name + suffix for name in _SIZED for suffix in ("", "b", "w", "l", "q")}
    names |= {*_PLAIN, *BRANCHES, *FIXED_BRANCHES, *PREFIXES}
    names |= {"set" + code for code in CONDITION_CODES}
    names |= {"cmov" + code + suffix for code in CONDITION_CODES for suffix in ("", "w", "l", "q")}
    names |= {text.partition(" ")[0] for text in FIXED}
    names |= {name.removeprefix(VEX) for name in STAND_INS}
    return names


def explain(template: Template) -> StatementError:
    """Return the error for a template that keystone refused."""
    mnemonic = template.text.partition(" ")[0].removeprefix(VEX)
    if template.error not in (INVALID, NOT_SYMBOLIC):
        return StatementError(template.error, mnemonic)
    known = known_mnemonics()
    if mnemonic in known:
        return _explain_operands(mnemonic, template)
    if mnemonic[:1] == "v" and mnemonic[1:] in known and not needs_evex(template.text):
        return _explain_operands(mnemonic, template)
    if mnemonic[:1] == "v" and "mm" in template.text:
        return StatementError(
            f"`{mnemonic}' with these operands is not supported",
            mnemonic,
            "AVX2 and FMA are known; of AVX-512 only the foundation is",
        )
    close = similar(mnemonic, known)
    hint = f"did you mean `{close}'?" if close else ""
    return StatementError(f"unknown instruction `{mnemonic}'", mnemonic, hint)


def _explain_operands(mnemonic: str, template: Template) -> StatementError:
    _, _, text = template.text.partition(" ")
    message, token, hint = f"invalid operands for `{mnemonic}'", mnemonic, ""
    operands = split_operands(text)
    is_att = template.syntax != INTEL
    has_register = "%" in text.replace("%riz", "")
    memories = [operand for operand in operands if re.search(r"[(\[](?!\d\))", operand)]
    sizes = {operand: suffix_of(operand.lstrip("%")) for operand in operands}
    sizes = {operand: size for operand, size in sizes.items() if size}
    suffix = mnemonic[-1] if mnemonic[:-1] in _SIZED else ""
    if is_att and text and not has_register and "$" not in text:
        hint = "in AT&T syntax a register is written %rax and a number $1"
    elif is_att and len(operands) > 1 and operands[-1][0] == "$" and mnemonic not in _TO_PORT:
        hint = "a number cannot be the destination, which comes last"
    elif len(memories) > 1:
        hint = "at most one operand can be in memory"
    elif memories and not sizes and not has_vector(text) and mnemonic in _SIZED:
        hint = f"the size is not clear: write `{mnemonic}l' or another of b, w, l, q"
    elif mnemonic.rstrip("wlq") in ("push", "pop", "call", "jmp") and set(sizes.values()) == {"l"}:
        token = next(iter(sizes))
        hint = "in 64-bit code it takes registers of 64 bits"
    elif suffix in _BITS and any(size != suffix for size in sizes.values()):
        token = next(operand for operand, size in sizes.items() if size != suffix)
        bits = _BITS[sizes[token]]
        hint = f"`{token}' has {bits} bits, but `{mnemonic}' works on {_BITS[suffix]}"
    elif mnemonic in _SHIFTS and len(sizes) == 2 and "%cl" not in sizes:
        token, hint = operands[0], "the count is a number or %cl"
    elif len(set(sizes.values())) > 1 and mnemonic in _SIZED and len(sizes) == 2:
        first, second = sizes
        token = second
        hint = f"`{first}' has {_BITS[sizes[first]]} bits, `{second}' {_BITS[sizes[second]]}"
    return StatementError(message, token, hint)


def has_vector(text: str) -> bool:
    """Tell whether operands name a vector register, which gives an instruction its size."""
    return re.search(r"\b[xyz]?mm\d", text) is not None


_BITS = {"b": 8, "w": 16, "l": 32, "q": 64}
_SHIFTS = ("rcl", "rcr", "rol", "ror", "sal", "sar", "shl", "shr")
_TO_PORT = ("out", "outb", "outw", "outl", "enter", "enterq")
