// s3:http://HOST:PORT/BUCKET/PREFIX, s3:HOST/BUCKET and s3://HOST/BUCKET, as restic writes them: https where no scheme
// says otherwise. Name and secret never stand in it.
using System;

namespace FastBackup.Repositories;

/// <param name="Endpoint">Scheme, host and port.</param>
/// <param name="Bucket">The first part of the path.</param>
/// <param name="Prefix">The rest, without slashes at its ends; empty: none.</param>
sealed record S3Address(Uri Endpoint, string Bucket, string Prefix)
{
    public const string Start = "s3:";

    /// <returns>Null, or what is wrong with it, as the end of a sentence.</returns>
    public static string? Check(string address) => TryParse(address, out _);

    /// <param name="address">Checked.</param>
    public static S3Address Parse(string address)
    {
        _ = TryParse(address, out S3Address? parsed);
        return parsed!;
    }

    public override string ToString() =>
        $"{Start}{Endpoint.GetLeftPart(UriPartial.Authority)}/{Bucket}{(Prefix.Length > 0 ? "/" + Prefix : "")}";

    static string? TryParse(string address, out S3Address? parsed)
    {
        parsed = null;
        string rest = address[Start.Length..];
        bool hasScheme =
            rest.StartsWith("http://", StringComparison.Ordinal)
            || rest.StartsWith("https://", StringComparison.Ordinal);
        if (!Uri.TryCreate(hasScheme ? rest : "https://" + rest.TrimStart('/'), UriKind.Absolute, out Uri? url))
            return "is no address behind s3:; give s3:https://HOST/BUCKET/PREFIX";
        if (url.UserInfo.Length > 0)
            return "has a name or secret in it, which everybody on this machine can see; "
                + "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment";
        string path = Uri.UnescapeDataString(url.AbsolutePath).Trim('/');
        int end = path.IndexOf('/', StringComparison.Ordinal);
        string bucket = end < 0 ? path : path[..end];
        if (bucket.Length < 3)
            return "names no bucket, which has three letters at least; give s3:https://HOST/BUCKET/PREFIX";
        if (url.Query.Length > 0 || url.Fragment.Length > 0)
            return "has something behind its path; give s3:https://HOST/BUCKET/PREFIX";
        parsed = new S3Address(
            new Uri(url.GetLeftPart(UriPartial.Authority)),
            bucket,
            end < 0 ? "" : path[end..].Trim('/')
        );
        return null;
    }
}
