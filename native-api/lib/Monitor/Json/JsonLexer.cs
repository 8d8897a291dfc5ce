// Bytes to tokens, one byte at a time, so that a message may come in any pieces. The same automaton as QEMU's, with
// its recovery: after a stray character the rest is skipped up to a control character or one of []{},: - so that the
// next line is understood again.
// Source: QEMU 7.2 qobject/json-lexer.c; compared with a real one in tests/Hosts/Monitor.
namespace FastBackup.Native.Monitor.Json;

/// <summary>Threads: one.</summary>
static class JsonLexer
{
    /// <summary>What becomes of a byte in a state.</summary>
    /// <param name="State">The next state; Start after a token.</param>
    /// <param name="Token">The token that ends here, or null.</param>
    /// <param name="IsTaken">The byte belongs to what came before; else it is looked at again.</param>
    public readonly record struct Step(LexerState State, TokenKind? Token, bool IsTaken);

    public static Step Next(LexerState state, byte one) =>
        state switch
        {
            LexerState.Start => Begin(one),
            LexerState.Recovery => Recover(one),
            LexerState.DoubleQuoted => InString(one, (byte)'"', LexerState.DoubleQuoted, LexerState.DoubleEscape),
            LexerState.SingleQuoted => InString(one, (byte)'\'', LexerState.SingleQuoted, LexerState.SingleEscape),
            LexerState.DoubleEscape => IsText(one) ? Go(LexerState.DoubleQuoted) : Stray,
            LexerState.SingleEscape => IsText(one) ? Go(LexerState.SingleQuoted) : Stray,
            LexerState.Keyword => one is >= (byte)'a' and <= (byte)'z' ? Go(state) : Before(TokenKind.Keyword),
            _ => InNumber(state, one),
        };

    static Step Stray => new(LexerState.Recovery, TokenKind.Stray, IsTaken: true);

    static Step Go(LexerState state) => new(state, null, IsTaken: true);

    static Step End(TokenKind token) => new(LexerState.Start, token, IsTaken: true);

    static Step Before(TokenKind token) => new(LexerState.Start, token, IsTaken: false);

    static bool IsText(byte one) => one is >= 0x20 and <= 0xFD;

    static bool IsDigit(byte one) => one is >= (byte)'0' and <= (byte)'9';

    static Step Begin(byte one) =>
        (char)one switch
        {
            '"' => Go(LexerState.DoubleQuoted),
            '\'' => Go(LexerState.SingleQuoted),
            '0' => Go(LexerState.Zero),
            >= '1' and <= '9' => Go(LexerState.Digits),
            '-' => Go(LexerState.Sign),
            >= 'a' and <= 'z' => Go(LexerState.Keyword),
            '{' => End(TokenKind.LeftBrace),
            '}' => End(TokenKind.RightBrace),
            '[' => End(TokenKind.LeftSquare),
            ']' => End(TokenKind.RightSquare),
            ':' => End(TokenKind.Colon),
            ',' => End(TokenKind.Comma),
            ' ' or '\t' or '\r' or '\n' => Go(LexerState.Start),
            _ => Stray,
        };

    static Step Recover(byte one)
    {
        bool isBeginning = !IsText(one) || (char)one is '[' or ']' or '{' or '}' or ':' or ',';
        return isBeginning ? new(LexerState.Start, null, IsTaken: false) : Go(LexerState.Recovery);
    }

    static Step InString(byte one, byte quote, LexerState inside, LexerState escape) =>
        one == quote ? End(TokenKind.String)
        : one == (byte)'\\' ? Go(escape)
        : IsText(one) ? Go(inside)
        : Stray;

    static Step InNumber(LexerState state, byte one)
    {
        bool isDigit = IsDigit(one);
        bool isExponent = one is (byte)'e' or (byte)'E';
        return state switch
        {
            LexerState.Sign => one == (byte)'0' ? Go(LexerState.Zero)
            : isDigit ? Go(LexerState.Digits)
            : Stray,
            LexerState.Zero => isDigit ? Stray
            : one == (byte)'.' ? Go(LexerState.Mantissa)
            : Before(TokenKind.Integer),
            LexerState.Digits => isDigit ? Go(state)
            : one == (byte)'.' ? Go(LexerState.Mantissa)
            : isExponent ? Go(LexerState.Exponent)
            : Before(TokenKind.Integer),
            LexerState.Mantissa => isDigit ? Go(LexerState.MantissaDigits) : Stray,
            LexerState.MantissaDigits => isDigit ? Go(state)
            : isExponent ? Go(LexerState.Exponent)
            : Before(TokenKind.Float),
            LexerState.Exponent => isDigit ? Go(LexerState.ExponentDigits)
            : one is (byte)'+' or (byte)'-' ? Go(LexerState.ExponentSign)
            : Stray,
            LexerState.ExponentSign => isDigit ? Go(LexerState.ExponentDigits) : Stray,
            _ => isDigit ? Go(state) : Before(TokenKind.Float),
        };
    }
}
