// Stdout or stderr, always as UTF-8, with nothing of the runtime in between that needs a further descriptor or file at
// the wrong moment. Words may fail (a full disk behind a log, a reader that has gone) without breaking the work: after
// the first failure everything further is dropped, and the failure is kept.
using System.IO;
using System.Text;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
/// <param name="isGiven">False: the caller has closed it, and wants no words.</param>
abstract class StandardStream(bool isGiven) : TextWriter
{
    public const int OutputFd = 1;
    public const int ErrorFd = 2;

    static readonly UTF8Encoding s_encoding = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Everything further is dropped.</summary>
    protected bool IsEnded { get; private set; } = !isGiven;

    /// <summary>What the system said, or null; none when nobody listens: a closed pipe, a closed stream.</summary>
    public string? Failure { get; private set; }

    public override Encoding Encoding => s_encoding;

    public override void Write(char value) => Write(value.ToString());

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void WriteLine(string? value) => Write(value + "\n");

    public override void Write(string? value)
    {
        if (!IsEnded && value != null)
            WriteAll(s_encoding.GetBytes(value));
    }

    protected abstract void WriteAll(byte[] bytes);

    /// <param name="failure">What the system said; null: nobody listens.</param>
    protected void End(string? failure) => (IsEnded, Failure) = (true, failure);
}
