// What a server answered, and its content as it comes, watched for bytes that do not.
using System;
using System.IO;
using System.Net;
using System.Net.Http;

namespace FastBackup.Repositories;

/// <summary>Threads: one at a time.</summary>
/// <param name="message">Owned.</param>
/// <param name="watch">Of the request; owned.</param>
sealed class RestAnswer(HttpResponseMessage message, StallWatch watch) : IDisposable
{
    Stream? _content;

    public HttpStatusCode Status => message.StatusCode;

    public bool IsSuccess => message.IsSuccessStatusCode;

    /// <summary>Of the content; null: nobody has said.</summary>
    public long? LengthBytes => message.Content.Headers.ContentLength;

    /// <returns>0: that was all.</returns>
    /// <exception cref="OperationCanceledException">It is given up, or all is to end.</exception>
    public int Read(byte[] piece)
    {
        _content ??= message.Content.ReadAsStream(watch.Token);
        int count = _content.ReadAsync(piece, watch.Token).AsTask().GetAwaiter().GetResult();
        watch.Progress();
        return count;
    }

    public void Dispose()
    {
        _content?.Dispose();
        message.Dispose();
        watch.Dispose();
    }
}
