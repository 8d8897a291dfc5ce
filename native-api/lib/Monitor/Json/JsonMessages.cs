// Tokens to messages: a message ends when its brackets are closed, or closed too often; line ends mean nothing.
// What it holds is bounded: bytes and tokens of one message, and its nesting.
// Source: QEMU 7.2 qobject/json-streamer.c; its limits are 64 MiB, 2^21 tokens and the same nesting.
using System;
using System.Collections.Generic;

namespace FastBackup.Native.Monitor.Json;

/// <summary>Threads: one.</summary>
sealed class JsonMessages : IDisposable
{
    public const int BytesMax = 1 << 20;
    public const int TokensMax = 1 << 16;
    public const int NestingMax = 1024;
    const int KeptBytes = 1 << 14;

    readonly Queue<JsonMessage> _ready = new();
    JsonDocument? _document; // from the first byte on
    int _length; // of all tokens, with the one that is being read
    int _tokenStart;
    int _tokenCount;
    bool _isLarge; // what was read since the last Trim
    LexerState _state;
    int _braceCount;
    int _squareCount;

    /// <summary>Takes one byte; a message may be ready afterwards, or two, of which the last one has a value.</summary>
    /// <remarks>Throws OutOfMemoryException when there is no room for a document.</remarks>
    public void Feed(byte one)
    {
        _document ??= new JsonDocument(BytesMax + 1, TokensMax);
        bool isTaken;
        do
        {
            JsonLexer.Step step = JsonLexer.Next(_state, one);
            isTaken = step.IsTaken;
            bool isKept =
                isTaken && (step.State is not (LexerState.Start or LexerState.Recovery) || step.Token != null);
            if (isKept)
                _document.Text[_length++] = one;
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

    /// <summary>The messages that were taken are not needed any more: the memory of large ones goes back.</summary>
    public void Trim()
    {
        if (!_isLarge || _length > 0 || _ready.Count > 0)
            return;
        Dispose();
        _isLarge = false;
    }

    public void Dispose()
    {
        _document?.Dispose();
        _document = null;
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
        if (_tokenCount == TokensMax)
            Fail("JSON token count limit exceeded", isTooLong: true);
        else if (_braceCount + _squareCount > NestingMax)
            Fail("JSON nesting depth limit exceeded");
        else
            Add(token);
    }

    /// <summary>What QEMU shows of it: nothing from a NUL on.</summary>
    string Stray(JsonToken token)
    {
        ReadOnlySpan<byte> stray = _document!.Text.Slice(token.Start, token.Length);
        int end = stray.IndexOf((byte)0);
        return Utf8Text.Decode(end < 0 ? stray : stray[..end]);
    }

    void Add(JsonToken token)
    {
        _document!.Tokens[_tokenCount++] = token;
        bool isOpen = (_braceCount > 0 || _squareCount > 0) && _braceCount >= 0 && _squareCount >= 0;
        if (isOpen)
            return;
        JsonParser parser = new(_document, _tokenCount);
        bool isRight = parser.TryParse();
        JsonKind kind = isRight ? _document.KindOf(JsonDocument.Root) : default;
        _ready.Enqueue(new JsonMessage(isRight ? _document : null, kind, parser.Problem));
        Forget();
    }

    void Fail(string problem, bool isTooLong = false)
    {
        _ready.Enqueue(new JsonMessage(null, default, problem, isTooLong));
        Forget();
    }

    void Forget()
    {
        _isLarge |= _length > KeptBytes || _tokenCount > KeptBytes;
        (_length, _tokenStart, _tokenCount, _braceCount, _squareCount) = (0, 0, 0, 0, 0);
    }
}
