// Tokens to messages: a message ends when its brackets are closed, or closed too often; line ends mean nothing.
// What it holds is bounded: bytes and tokens of one message, and its nesting.
// Source: QEMU 7.2 qobject/json-streamer.c; its limits are 64 MiB, 2^21 tokens and the same nesting.
using System;
using System.Collections.Generic;

namespace FastBackup.Native.Monitor.Json;

/// <summary>Threads: one.</summary>
sealed class JsonMessages
{
    public const int BytesMax = 1 << 20;
    public const int TokensMax = 1 << 16;
    public const int NestingMax = 1024;
    const int KeptBytes = 1 << 14;

    readonly List<JsonToken> _tokens = [];
    readonly Queue<JsonMessage> _ready = new();
    byte[] _text = new byte[256];
    int _length; // of all tokens, with the one that is being read
    int _tokenStart;
    LexerState _state;
    int _braceCount;
    int _squareCount;

    /// <summary>Takes one byte; a message may be ready afterwards, or two.</summary>
    public void Feed(byte one)
    {
        bool isTaken;
        do
        {
            JsonLexer.Step step = JsonLexer.Next(_state, one);
            isTaken = step.IsTaken;
            bool isKept =
                isTaken && (step.State is not (LexerState.Start or LexerState.Recovery) || step.Token != null);
            if (isKept)
                Keep(one);
            _state = step.State;
            if (step.Token is { } token)
                EndToken(token);
        } while (!isTaken);
        if (_length > BytesMax)
        {
            Fail("JSON token size limit exceeded", isTooLong: true);
            _state = LexerState.Start;
        }
    }

    public bool TryTake(out JsonMessage message) => _ready.TryDequeue(out message);

    void Keep(byte one)
    {
        if (_length == _text.Length)
            Array.Resize(ref _text, _text.Length * 2);
        _text[_length++] = one;
    }

    void EndToken(TokenKind kind)
    {
        JsonToken token = new(kind, _tokenStart, _length - _tokenStart);
        _tokenStart = _length;
        switch (kind)
        {
            case TokenKind.Stray:
                Fail($"JSON parse error, stray '{Stray(token)}'");
                return;
            case TokenKind.LeftBrace:
                _braceCount++;
                break;
            case TokenKind.RightBrace:
                _braceCount--;
                break;
            case TokenKind.LeftSquare:
                _squareCount++;
                break;
            case TokenKind.RightSquare:
                _squareCount--;
                break;
        }
        if (_tokens.Count == TokensMax)
            Fail("JSON token count limit exceeded", isTooLong: true);
        else if (_braceCount + _squareCount > NestingMax)
            Fail("JSON nesting depth limit exceeded");
        else
            Add(token);
    }

    /// <summary>What QEMU shows of it: nothing from a NUL on.</summary>
    string Stray(JsonToken token)
    {
        ReadOnlySpan<byte> stray = _text.AsSpan(token.Start, token.Length);
        int end = stray.IndexOf((byte)0);
        return Utf8Text.Decode(end < 0 ? stray : stray[..end]);
    }

    void Add(JsonToken token)
    {
        _tokens.Add(token);
        bool isOpen = (_braceCount > 0 || _squareCount > 0) && _braceCount >= 0 && _squareCount >= 0;
        if (isOpen)
            return;
        JsonParser parser = new(_text, _tokens);
        JsonValue? value = parser.Parse();
        _ready.Enqueue(new JsonMessage(value, parser.Problem));
        Forget();
    }

    void Fail(string problem, bool isTooLong = false)
    {
        _ready.Enqueue(new JsonMessage(null, problem, isTooLong));
        Forget();
    }

    void Forget()
    {
        _tokens.Clear();
        if (_tokens.Capacity > KeptBytes)
            _tokens.Capacity = 0;
        if (_text.Length > KeptBytes)
            _text = new byte[256];
        (_length, _tokenStart, _braceCount, _squareCount) = (0, 0, 0, 0);
    }
}
