// Where the lexer is inside a token.
namespace FastBackup.Native.Monitor.Json;

enum LexerState : byte
{
    Start,

    /// <summary>After a stray character: all is skipped up to one that may begin something.</summary>
    Recovery,
    DoubleQuoted,
    DoubleEscape,
    SingleQuoted,
    SingleEscape,
    Sign,
    Zero,
    Digits,
    Mantissa,
    MantissaDigits,
    Exponent,
    ExponentSign,
    ExponentDigits,
    Keyword,
}
