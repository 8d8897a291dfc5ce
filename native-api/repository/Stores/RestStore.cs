// A repository behind restic's REST protocol, as rest-server and 'rclone serve restic' speak it. Name and password of
// the server come from the environment, never from the URL, which everybody on the machine may see. A request takes as
// long as it likes while bytes go; without any it is given up (StallWatch).
// Source: restic's doc/REST_backend.rst, API version 2.
using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class RestStore : IStore
{
    public const string Prefix = "rest:";
    const string MediaType = "application/vnd.x.restic.rest.v2";

    const int PieceBytes = 64 << 10;

    /// <summary>Of the request that gives a lock back when all is to end.</summary>
    static readonly TimeSpan s_lockLimit = TimeSpan.FromSeconds(3);

    readonly HttpClient _client;
    readonly Uri _base;
    readonly CancellationToken _cancel;
    readonly TimeSpan _stallLimit;

    /// <param name="url">Without user name and password.</param>
    /// <param name="user">Of the server; null: none.</param>
    /// <param name="password">Of the server.</param>
    /// <param name="cancel">Ends requests.</param>
    /// <param name="stallLimit">How long no byte may come or go; null: the usual time.</param>
    public RestStore(Uri url, string? user, string? password, CancellationToken cancel, TimeSpan? stallLimit = null)
    {
        _stallLimit = stallLimit ?? StallWatch.Usual;
        _base = url.AbsoluteUri.EndsWith('/') ? url : new Uri(url.AbsoluteUri + "/");
        _cancel = cancel;
        _client = new HttpClient(
            new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(20), AllowAutoRedirect = false }
        )
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _client.DefaultRequestHeaders.Accept.Add(new MediaTypeWithQualityHeaderValue(MediaType));
        if (user != null)
            _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
                "Basic",
                Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"))
            );
    }

    public string Name => Prefix + _base.AbsoluteUri;

    public StoreRequests Requests { get; } = new();

    public void Create()
    {
        using RestAnswer answer = Send(HttpMethod.Post, new Uri(_base, "?create=true"));
        Expect(answer, "create", "the repository");
    }

    public List<StoredFile> List(StoreKind kind)
    {
        using RestAnswer answer = Send(HttpMethod.Get, new Uri(_base, kind.Folder() + "/"));
        if (answer.Status == HttpStatusCode.NotFound)
            return [];
        Expect(answer, "list", kind.Folder());
        ListedFile[]? listed = null;
        try
        {
            listed = JsonSerializer.Deserialize(Body(answer, kind.Folder()), Documents.Default.ListedFileArray);
        }
        catch (JsonException exception)
        {
            throw Unreachable("list", kind.Folder(), "the answer is no list of files", exception);
        }
        List<StoredFile> files = [];
        foreach (ListedFile file in listed ?? [])
            if (file.Name != null && StoreNames.IsName(file.Name))
                files.Add(new StoredFile(file.Name, file.SizeBytes));
        return files;
    }

    public long? SizeOf(StoreKind kind, string name)
    {
        using RestAnswer answer = Send(HttpMethod.Head, UrlOf(kind, name));
        if (answer.Status == HttpStatusCode.NotFound)
            return null;
        Expect(answer, "look at", kind.Word());
        return answer.LengthBytes ?? 0;
    }

    public byte[] Read(StoreKind kind, string name)
    {
        using RestAnswer answer = Send(HttpMethod.Get, UrlOf(kind, name));
        Expect(answer, "read", $"{kind.Word()} {name}");
        return Body(answer, name);
    }

    public void Read(StoreKind kind, string name, long offsetBytes, Span<byte> part)
    {
        using RestAnswer answer = Send(
            HttpMethod.Get,
            UrlOf(kind, name),
            null,
            new RangeHeaderValue(offsetBytes, offsetBytes + part.Length - 1)
        );
        Expect(answer, "read", $"{kind.Word()} {name}");
        byte[] body = Body(answer, name);
        // A server that knows no ranges sends everything.
        ReadOnlySpan<byte> from =
            answer.Status == HttpStatusCode.PartialContent ? body
            : body.LongLength >= offsetBytes + part.Length ? body.AsSpan((int)offsetBytes)
            : default;
        if (from.Length < part.Length)
            throw new RepositoryException(
                RepositoryError.Damaged,
                $"{kind.Word()} {name} of '{Name}' ends before its content does"
            );
        from[..part.Length].CopyTo(part);
    }

    public void Write(StoreKind kind, string name, ReadOnlyMemory<byte> content)
    {
        using RestAnswer answer = Send(HttpMethod.Post, UrlOf(kind, name), content);
        // An append-only server refuses what is there already, even if it is the same.
        if (answer.Status == HttpStatusCode.Forbidden && kind != StoreKind.Config)
            if (SizeOf(kind, name) == content.Length)
                return;
        Expect(answer, "write", $"{kind.Word()} {name}");
    }

    public void Remove(StoreKind kind, string name)
    {
        // A lock is given back after a signal, too: others would wait for half an hour.
        using CancellationTokenSource moment = new(s_lockLimit);
        CancellationToken limit = kind == StoreKind.Lock && _cancel.IsCancellationRequested ? moment.Token : _cancel;
        using RestAnswer answer = Send(HttpMethod.Delete, UrlOf(kind, name), cancel: limit);
        if (answer.Status != HttpStatusCode.NotFound)
            Expect(answer, "remove", $"{kind.Word()} {name}");
    }

    public void Dispose() => _client.Dispose();

    Uri UrlOf(StoreKind kind, string name) =>
        new(_base, kind == StoreKind.Config ? "config" : kind.Folder() + "/" + name);

    RestAnswer Send(
        HttpMethod method,
        Uri url,
        ReadOnlyMemory<byte>? content = null,
        RangeHeaderValue? range = null,
        CancellationToken? cancel = null
    )
    {
        Count(method, url, content?.Length ?? 0);
        StallWatch watch = new(_stallLimit, cancel ?? _cancel);
        using HttpRequestMessage request = new(method, url);
        request.Headers.Range = range;
        if (content is { } bytes)
        {
            request.Content = new WatchedContent(bytes, watch);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        }
        HttpResponseMessage? answer = null;
        try
        {
            answer = _client.Send(request, HttpCompletionOption.ResponseHeadersRead, watch.Token);
            return new RestAnswer(answer, watch);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw Unreachable("reach", _base.Authority, exception.Message, exception);
        }
        catch (OperationCanceledException exception)
        {
            throw GivenUp("reach", _base.Authority, exception);
        }
        finally
        {
            if (answer == null)
                watch.Dispose();
        }
    }

    RepositoryException GivenUp(string verb, string what, OperationCanceledException exception) =>
        _cancel.IsCancellationRequested
            ? new RepositoryException(RepositoryError.Canceled, "interrupted", exception)
            : Unreachable(verb, what, "it did not answer in time", exception);

    void Count(HttpMethod method, Uri url, long sentBytes)
    {
        if (method == HttpMethod.Post)
            Requests.Put(sentBytes);
        else if (method == HttpMethod.Delete)
            Requests.Delete();
        else if (url.AbsolutePath.EndsWith('/'))
            Requests.List();
        else
            Requests.Get();
    }

    byte[] Body(RestAnswer answer, string what)
    {
        try
        {
            using MemoryStream all = new((int)(answer.LengthBytes ?? 0));
            byte[] piece = new byte[PieceBytes];
            for (int count; (count = answer.Read(piece)) > 0; )
                all.Write(piece.AsSpan(0, count));
            if (answer.LengthBytes is { } length && length != all.Length)
                throw Unreachable("read", what, "the connection ended in the middle", null);
            Requests.Receive(all.Length);
            return all.ToArray();
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw Unreachable("read", what, exception.Message, exception);
        }
        catch (OperationCanceledException exception)
        {
            throw GivenUp("read", what, exception);
        }
    }

    void Expect(RestAnswer answer, string verb, string what)
    {
        if (answer.IsSuccess)
            return;
        string sentence = $"cannot {verb} {what} at '{Name}': the server answered {(int)answer.Status}";
        throw answer.Status switch
        {
            HttpStatusCode.NotFound => new RepositoryException(RepositoryError.NotFound, sentence + " (not found)"),
            HttpStatusCode.Unauthorized => new RepositoryException(
                RepositoryError.Forbidden,
                sentence + " (not authorized); give RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD"
            ),
            HttpStatusCode.Forbidden => new RepositoryException(RepositoryError.Forbidden, sentence + " (forbidden)"),
            HttpStatusCode.InsufficientStorage => new RepositoryException(
                RepositoryError.NoSpace,
                sentence + " (no space left)"
            ),
            >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout =>
                new RepositoryException(RepositoryError.Unreachable, sentence),
            _ => new RepositoryException(RepositoryError.Refused, sentence),
        };
    }

    RepositoryException Unreachable(string verb, string what, string why, Exception? inner) =>
        new(RepositoryError.Unreachable, $"cannot {verb} '{what}' of '{Name}': {why.TrimEnd('.')}", inner);
}
