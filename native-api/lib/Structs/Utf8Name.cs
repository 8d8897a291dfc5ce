// Text that comes in: UTF-8 with an explicit length, checked before it is used.
using System;
using System.Text;
using System.Text.Unicode;
using FastBackup.Native.Errors;

namespace FastBackup.Native.Structs;

static class Utf8Name
{
    /// <param name="bytes">May be NULL when the length is 0.</param>
    /// <param name="length">Bytes, without a NUL at the end.</param>
    /// <param name="lengthMin">Fewer are Invalid.</param>
    /// <param name="lengthMax">More are Invalid.</param>
    /// <param name="text">Empty after an error.</param>
    public static unsafe Answer TryRead(byte* bytes, uint length, uint lengthMin, uint lengthMax, out string text)
    {
        text = "";
        if (length < lengthMin || length > lengthMax)
            return Answer.Invalid($"a text of {length} bytes is not between {lengthMin} and {lengthMax}");
        if (length == 0)
            return Answer.Ok;
        if (bytes == null)
            return Answer.Invalid("a text is NULL");
        // SAFETY: the host vouches for length bytes.
        ReadOnlySpan<byte> span = new(bytes, (int)length);
        if (span.Contains((byte)0) || !Utf8.IsValid(span))
            return Answer.Invalid("a text is not UTF-8 or has a NUL inside");
        text = Encoding.UTF8.GetString(span);
        return Answer.Ok;
    }

    /// <summary>Writes text with a NUL behind it, cut between characters where it does not fit.</summary>
    /// <returns>Bytes written, without the NUL.</returns>
    public static int Write(string text, Span<byte> target)
    {
        _ = Utf8.FromUtf16(text, target[..^1], out _, out int written);
        target[written] = 0;
        return written;
    }
}
