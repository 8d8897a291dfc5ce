// A repository's address, as typed: a folder, or rest:http://host:port/path/, s3:https://host/bucket/prefix.
using System;
using System.Threading;

namespace FastBackup.Repositories;

static class StoreAddress
{
    /// <summary>How long a store may go on not answering.</summary>
    static readonly TimeSpan s_usualLimit = TimeSpan.FromMinutes(5);

    /// <returns>Null, or what is wrong with it, as the end of a sentence.</returns>
    public static string? Check(string address)
    {
        if (address.Length == 0)
            return "is empty; give a folder, rest:http://HOST:PORT/ or s3:https://HOST/BUCKET";
        if (address.StartsWith(S3Address.Start, StringComparison.Ordinal))
            return S3Address.Check(address);
        if (!address.StartsWith(RestStore.Prefix, StringComparison.Ordinal))
        {
            int end = address.IndexOf(':', StringComparison.Ordinal);
            return end > 1 && Array.IndexOf(s_others, address[..end]) >= 0
                ? "is a kind of repository that is not there yet; give a folder, rest:http://HOST:PORT/ or s3:..."
                : null;
        }
        if (!Uri.TryCreate(address[RestStore.Prefix.Length..], UriKind.Absolute, out Uri? url))
            return "is no URL behind rest:; give rest:http://HOST:PORT/";
        if (url.Scheme is not ("http" or "https"))
            return "is neither http nor https behind rest:; give rest:http://HOST:PORT/";
        return url.UserInfo.Length > 0
            ? "has a name or password in it, which everybody on this machine can see; "
                + "give RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD in the environment"
            : null;
    }

    /// <summary>A path, which may be a relative one.</summary>
    /// <param name="address">Checked.</param>
    public static bool IsFolder(string address) =>
        !address.StartsWith(RestStore.Prefix, StringComparison.Ordinal)
        && !address.StartsWith(S3Address.Start, StringComparison.Ordinal);

    /// <param name="address">Checked.</param>
    /// <param name="tell">Told in a sentence when a store goes on not answering; on any thread.</param>
    /// <param name="cancel">Ends waits.</param>
    public static IStore Open(string address, Action<string> tell, CancellationToken cancel)
    {
        IStore store =
            IsFolder(address) ? new LocalStore(address)
            : address.StartsWith(S3Address.Start, StringComparison.Ordinal)
                ? new S3Store(S3Address.Parse(address), S3Credentials.Read(), cancel)
            : new RestStore(
                new Uri(address[RestStore.Prefix.Length..]),
                Environment.GetEnvironmentVariable("RESTIC_REST_USERNAME"),
                Environment.GetEnvironmentVariable("RESTIC_REST_PASSWORD"),
                cancel
            );
        return new RetryingStore(store, s_usualLimit, cancel, tell: tell);
    }

    static readonly string[] s_others = ["sftp", "azure", "gs", "b2", "swift", "rclone"];
}
