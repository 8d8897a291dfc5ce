// A repository in a bucket of Amazon's S3 or of what speaks its protocol, as restic lays it out: PREFIX/config,
// PREFIX/data/00/..., and so on. Buckets are a part of the path, which all servers understand. Large packs go up in
// parts, several at a time. Nothing is tried again here: RetryingStore does, so that all waits are of one kind.
// Source: the Amazon S3 API reference.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class S3Store : IStore
{
    /// <summary>Above this a file goes up in parts of it. The protocol asks for 5 MiB at least.</summary>
    const int PartBytes = 16 << 20;
    const int PartsAtOnce = 4;
    const int PieceBytes = 64 << 10;

    /// <summary>Of one request.</summary>
    static readonly TimeSpan s_requestLimit = TimeSpan.FromMinutes(15);

    /// <summary>Of the request that gives a lock back when all is to end.</summary>
    static readonly TimeSpan s_lockLimit = TimeSpan.FromSeconds(3);

    readonly S3Address _address;
    readonly AmazonS3Client _client;
    readonly bool _isSigned;
    readonly CancellationToken _cancel;
    readonly TimeSpan _stallLimit;

    /// <param name="address">Where.</param>
    /// <param name="credentials">Of the account.</param>
    /// <param name="cancel">Ends requests.</param>
    /// <param name="stallLimit">How long no byte may come or go; null: the usual time.</param>
    public S3Store(S3Address address, S3Credentials credentials, CancellationToken cancel, TimeSpan? stallLimit = null)
    {
        (_address, _cancel, _stallLimit) = (address, cancel, stallLimit ?? StallWatch.Usual);
        // Over TLS nobody can change what is sent: its hash need not be signed.
        _isSigned = address.Endpoint.Scheme == Uri.UriSchemeHttp;
        string region =
            Environment.GetEnvironmentVariable("AWS_DEFAULT_REGION") is { Length: > 0 } given ? given
            : Environment.GetEnvironmentVariable("AWS_REGION") is { Length: > 0 } other ? other
            : "us-east-1";
        AmazonS3Config config = new()
        {
            ServiceURL = address.Endpoint.AbsoluteUri,
            ForcePathStyle = true,
            AuthenticationRegion = region,
            MaxErrorRetry = 0,
            Timeout = s_requestLimit,
            // What is stored has its hash for a name; not all servers know checksums beside it.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        AWSCredentials account = credentials.Token is { Length: > 0 } token
            ? new SessionAWSCredentials(credentials.Name, credentials.Secret, token)
            : new BasicAWSCredentials(credentials.Name, credentials.Secret);
        _client = new AmazonS3Client(account, config);
    }

    public string Name => _address.ToString();

    public StoreRequests Requests { get; } = new();

    public void Create()
    {
        try
        {
            Requests.Put(0);
            PutBucketRequest request = new() { BucketName = _address.Bucket };
            _ = Watch((_, cancel) => _client.PutBucketAsync(request, cancel), "create");
        }
        catch (RepositoryException exception)
            when (exception.InnerException is AmazonS3Exception { StatusCode: HttpStatusCode.Conflict }
                || (exception.Error == RepositoryError.Forbidden && IsBucketThere())
            )
        {
            return; // it is there; an account that may not make buckets may use it
        }
    }

    public List<StoredFile> List(StoreKind kind)
    {
        List<StoredFile> files = [];
        ListObjectsV2Request request = new()
        {
            BucketName = _address.Bucket,
            Prefix = _address.Prefix.Length > 0 ? $"{_address.Prefix}/{kind.Folder()}/" : kind.Folder() + "/",
        };
        do
        {
            Requests.List();
            ListObjectsV2Response answer = Watch(
                (_, cancel) => _client.ListObjectsV2Async(request, cancel),
                "list " + kind.Folder()
            );
            foreach (S3Object one in answer.S3Objects ?? [])
            {
                string name = one.Key[(one.Key.LastIndexOf('/') + 1)..];
                if (StoreNames.IsName(name))
                    files.Add(new StoredFile(name, one.Size ?? 0));
            }
            request.ContinuationToken = answer.IsTruncated == true ? answer.NextContinuationToken : null;
        } while (request.ContinuationToken != null);
        return files;
    }

    public long? SizeOf(StoreKind kind, string name)
    {
        try
        {
            Requests.Get();
            return Watch(
                (_, cancel) => _client.GetObjectMetadataAsync(_address.Bucket, KeyOf(kind, name), cancel),
                $"look at {kind.Word()}"
            ).ContentLength;
        }
        catch (RepositoryException exception) when (exception.Error == RepositoryError.NotFound)
        {
            return null;
        }
    }

    public byte[] Read(StoreKind kind, string name)
    {
        using StallWatch watch = new(_stallLimit, _cancel);
        using GetObjectResponse answer = Get(kind, name, null, watch);
        byte[] content = new byte[answer.ContentLength];
        ReadAll(answer, kind, name, content, watch);
        return content;
    }

    public void Read(StoreKind kind, string name, long offsetBytes, Span<byte> part)
    {
        using StallWatch watch = new(_stallLimit, _cancel);
        ByteRange range = new(offsetBytes, offsetBytes + part.Length - 1);
        using GetObjectResponse answer = Get(kind, name, range, watch);
        // A server that knows no ranges sends everything.
        if (answer.HttpStatusCode == HttpStatusCode.PartialContent && answer.ContentLength == part.Length)
        {
            ReadAll(answer, kind, name, part, watch);
            return;
        }
        if (answer.HttpStatusCode == HttpStatusCode.PartialContent || answer.ContentLength < offsetBytes + part.Length)
            throw Short(kind, name);
        byte[] all = new byte[answer.ContentLength];
        ReadAll(answer, kind, name, all, watch);
        all.AsSpan((int)offsetBytes, part.Length).CopyTo(part);
    }

    public void Write(StoreKind kind, string name, ReadOnlyMemory<byte> content)
    {
        string key = KeyOf(kind, name);
        string what = $"write {kind.Word()} {name}";
        if (content.Length > PartBytes)
        {
            WriteParts(key, what, content);
            return;
        }
        PutObjectRequest request = new()
        {
            BucketName = _address.Bucket,
            Key = key,
            UseChunkEncoding = false,
            DisablePayloadSigning = !_isSigned,
            IfNoneMatch = kind == StoreKind.Config ? "*" : null, // of two that make it at once one wins
        };
        Requests.Put(content.Length);
        _ = Watch(
            (watch, cancel) =>
            {
                request.InputStream = StreamOf(content, watch);
                return _client.PutObjectAsync(request, cancel);
            },
            what
        );
    }

    public void Remove(StoreKind kind, string name)
    {
        // A lock is given back after a signal, too: others would wait for half an hour.
        using CancellationTokenSource moment = new(s_lockLimit);
        CancellationToken limit = kind == StoreKind.Lock && _cancel.IsCancellationRequested ? moment.Token : _cancel;
        Requests.Delete();
        try
        {
            _ = Watch(
                (_, cancel) => _client.DeleteObjectAsync(_address.Bucket, KeyOf(kind, name), cancel),
                $"remove {kind.Word()} {name}",
                limit
            );
        }
        catch (RepositoryException exception) when (exception.Error == RepositoryError.NotFound)
        {
            return;
        }
    }

    public void Dispose() => _client.Dispose();

    /// <summary>All parts, and then the file in one moment; what was begun and failed is taken back.</summary>
    void WriteParts(string key, string what, ReadOnlyMemory<byte> content)
    {
        Requests.Put(0);
        string upload = Watch(
            (_, cancel) => _client.InitiateMultipartUploadAsync(_address.Bucket, key, cancel),
            what
        ).UploadId;
        try
        {
            int count = (content.Length + PartBytes - 1) / PartBytes;
            PartETag[] parts = new PartETag[count];
            ParallelOptions options = new() { MaxDegreeOfParallelism = PartsAtOnce };
            _ = Parallel.For(
                0,
                count,
                options,
                i =>
                {
                    int offset = i * PartBytes;
                    ReadOnlyMemory<byte> part = content.Slice(offset, Math.Min(PartBytes, content.Length - offset));
                    UploadPartRequest request = new()
                    {
                        BucketName = _address.Bucket,
                        Key = key,
                        UploadId = upload,
                        PartNumber = i + 1,
                        PartSize = part.Length,
                        UseChunkEncoding = false,
                        DisablePayloadSigning = !_isSigned,
                    };
                    Requests.Put(part.Length);
                    UploadPartResponse answer = Watch(
                        (watch, cancel) =>
                        {
                            request.InputStream = StreamOf(part, watch);
                            return _client.UploadPartAsync(request, cancel);
                        },
                        what
                    );
                    parts[i] = new PartETag(i + 1, answer.ETag);
                }
            );
            Requests.Put(0);
            CompleteMultipartUploadRequest whole = new()
            {
                BucketName = _address.Bucket,
                Key = key,
                UploadId = upload,
                PartETags = [.. parts],
            };
            _ = Watch((_, cancel) => _client.CompleteMultipartUploadAsync(whole, cancel), what);
        }
        catch (Exception exception) when (exception is RepositoryException or AggregateException)
        {
            TakeBack(key, upload);
            if (exception is AggregateException { InnerExceptions: [RepositoryException first, ..] })
                throw new RepositoryException(first.Error, first.Message, first);
            throw;
        }
    }

    void TakeBack(string key, string upload)
    {
        try
        {
            using CancellationTokenSource moment = new(s_lockLimit);
            Requests.Delete();
            _ = Wait(_client.AbortMultipartUploadAsync(_address.Bucket, key, upload, moment.Token), "take back parts");
        }
        catch (RepositoryException)
        {
            return; // a rule of the bucket for uploads that were begun takes them away
        }
    }

    bool IsBucketThere()
    {
        try
        {
            _ = List(StoreKind.Key);
            return true;
        }
        catch (RepositoryException)
        {
            return false;
        }
    }

    string KeyOf(StoreKind kind, string name)
    {
        string path = kind switch
        {
            StoreKind.Config => "config",
            StoreKind.Pack => $"data/{name[..2]}/{name}",
            _ => $"{kind.Folder()}/{name}",
        };
        return _address.Prefix.Length > 0 ? $"{_address.Prefix}/{path}" : path;
    }

    static WatchedStream StreamOf(ReadOnlyMemory<byte> content, StallWatch watch) =>
        MemoryMarshal.TryGetArray(content, out ArraySegment<byte> array)
            ? new WatchedStream(array, watch)
            : new WatchedStream(content.ToArray(), watch);

    GetObjectResponse Get(StoreKind kind, string name, ByteRange? range, StallWatch watch)
    {
        GetObjectRequest request = new()
        {
            BucketName = _address.Bucket,
            Key = KeyOf(kind, name),
            ByteRange = range,
        };
        Requests.Get();
        GetObjectResponse answer = Wait(_client.GetObjectAsync(request, watch.Token), $"read {kind.Word()} {name}");
        Requests.Receive(answer.ContentLength);
        return answer;
    }

    void ReadAll(GetObjectResponse answer, StoreKind kind, string name, Span<byte> bytes, StallWatch watch)
    {
        try
        {
            byte[] piece = new byte[PieceBytes];
            while (bytes.Length > 0)
            {
                Memory<byte> room = piece.AsMemory(0, Math.Min(piece.Length, bytes.Length));
                int count = answer.ResponseStream.ReadAsync(room, watch.Token).AsTask().GetAwaiter().GetResult();
                if (count == 0)
                    throw new EndOfStreamException();
                watch.Progress();
                piece.AsSpan(0, count).CopyTo(bytes);
                bytes = bytes[count..];
            }
        }
        catch (Exception exception)
            when (exception
                    is IOException
                        or HttpRequestException
                        or AmazonClientException
                        or OperationCanceledException
            )
        {
            throw new RepositoryException(
                _cancel.IsCancellationRequested ? RepositoryError.Canceled : RepositoryError.Unreachable,
                $"cannot read {kind.Word()} {name} of '{Name}': the connection ended in the middle",
                exception
            );
        }
    }

    RepositoryException Short(StoreKind kind, string name) =>
        new(RepositoryError.Damaged, $"{kind.Word()} {name} of '{Name}' ends before its content does");

    /// <summary>One request, given up when no byte goes any more.</summary>
    T Watch<T>(Func<StallWatch, CancellationToken, Task<T>> ask, string what, CancellationToken? cancel = null)
    {
        using StallWatch watch = new(_stallLimit, cancel ?? _cancel);
        return Wait(ask(watch, watch.Token), what);
    }

    T Wait<T>(Task<T> task, string what)
    {
        try
        {
            return task.GetAwaiter().GetResult();
        }
        catch (AmazonServiceException exception) when (exception.StatusCode != 0)
        {
            throw new RepositoryException(ErrorOf(exception), Sentence(exception, what), exception);
        }
        catch (OperationCanceledException exception) when (_cancel.IsCancellationRequested)
        {
            throw new RepositoryException(RepositoryError.Canceled, "interrupted", exception);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException)
        {
            throw Odd(exception, what);
        }
        catch (Exception exception)
            when (exception
                    is AmazonServiceException
                        or AmazonClientException
                        or HttpRequestException
                        or IOException
                        or OperationCanceledException
            )
        {
            string why =
                exception is OperationCanceledException
                    ? "it did not answer in time"
                    : exception.GetBaseException().Message.TrimEnd('.');
            throw new RepositoryException(RepositoryError.Unreachable, $"cannot {what} at '{Name}': {why}", exception);
        }
    }

    /// <summary>An answer that the client stumbles over, such as an ETag that is none.</summary>
    RepositoryException Odd(Exception exception, string what) =>
        new(
            RepositoryError.Unreachable,
            $"cannot {what} at '{Name}': the answer is none of S3's ({exception.Message.TrimEnd('.')})",
            exception
        );

    static RepositoryError ErrorOf(AmazonServiceException exception) =>
        exception switch
        {
            { ErrorCode: "InvalidRange" } => RepositoryError.Damaged,
            { ErrorCode: "QuotaExceeded" } or { StatusCode: HttpStatusCode.InsufficientStorage } =>
                RepositoryError.NoSpace,
            { ErrorCode: "SlowDown" or "RequestTimeout" or "RequestTimeTooSkewed" } => RepositoryError.Unreachable,
            { StatusCode: HttpStatusCode.NotFound } => RepositoryError.NotFound,
            { StatusCode: HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized } => RepositoryError.Forbidden,
            { StatusCode: >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests } =>
                RepositoryError.Unreachable,
            _ => RepositoryError.Refused,
        };

    string Sentence(AmazonServiceException exception, string what)
    {
        string code = string.IsNullOrEmpty(exception.ErrorCode) ? "" : $" ({exception.ErrorCode})";
        string hint = exception.StatusCode switch
        {
            HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized =>
                "; look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what the account may do",
            HttpStatusCode.PreconditionFailed => "; another one has just made a repository there",
            _ => "",
        };
        return $"cannot {what} at '{Name}': the server answered {(int)exception.StatusCode}{code}{hint}";
    }
}
