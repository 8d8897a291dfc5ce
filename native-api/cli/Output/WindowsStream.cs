// Stdout or stderr of Windows: the runtime's stream, in UTF-8 whatever the console's page is set to.
using System;
using System.IO;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class WindowsStream : StandardStream
{
    readonly Stream _stream;

    /// <param name="fd">OutputFd or ErrorFd.</param>
    public WindowsStream(int fd)
        : base(isGiven: true)
    {
        if (fd == OutputFd && !Console.IsOutputRedirected)
            Console.OutputEncoding = Encoding; // names of any alphabet are shown as they are
        _stream = fd == OutputFd ? Console.OpenStandardOutput() : Console.OpenStandardError();
    }

    protected override void WriteAll(byte[] bytes)
    {
        try
        {
            _stream.Write(bytes);
            _stream.Flush();
        }
        catch (IOException exception)
        {
            const int noReader = unchecked((int)0x800700E8); // ERROR_NO_DATA: the pipe is being closed
            const int brokenPipe = unchecked((int)0x8007006D);
            End(exception.HResult is noReader or brokenPipe ? null : exception.Message);
        }
    }
}
