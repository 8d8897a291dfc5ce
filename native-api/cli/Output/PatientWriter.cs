// A stream for words that may break (a full disk behind a log) without breaking the work: after the first failure
// everything further is dropped, and the failure is kept for the end. A closed pipe is no failure; the runtime
// takes it in silence.
using System.IO;
using System.Text;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class PatientWriter(TextWriter inner) : TextWriter
{
    /// <summary>What the system said, or null.</summary>
    public string? Failure { get; private set; }

    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value) => Write(value.ToString());

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void WriteLine(string? value) => Write(value + "\n");

    public override void Write(string? value)
    {
        if (Failure != null)
            return;
        try
        {
            inner.Write(value);
        }
        catch (IOException exception)
        {
            Failure = exception.Message;
        }
    }
}
