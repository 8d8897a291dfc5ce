// The name of an image of Ceph, as QEMU and Ceph's own tools write it:
//
//   rbd:POOL/IMAGE, rbd:POOL/NAMESPACE/IMAGE, each with @SNAPSHOT; and at the end :conf=FILE, :id=USER
using System;

namespace FastBackup.Devices.Rbd;

sealed record RbdName
{
    public const string Prefix = "rbd:";
    const string Form = "it is rbd:POOL/IMAGE or rbd:POOL/IMAGE@SNAPSHOT, with :conf=FILE and :id=USER behind it";

    /// <summary>As it was given.</summary>
    public required string Text { get; init; }

    public required string Pool { get; init; }

    /// <summary>Empty: the pool's own.</summary>
    public string Namespace { get; init; } = "";

    public required string Image { get; init; }

    /// <summary>Null: the image itself.</summary>
    public string? Snapshot { get; init; }

    /// <summary>Null: where Ceph looks for it, and CEPH_CONF.</summary>
    public string? Configuration { get; init; }

    /// <summary>Null: admin.</summary>
    public string? User { get; init; }

    public static bool IsMeant(string name) => name.StartsWith(Prefix, StringComparison.Ordinal);

    /// <param name="text">A name that IsMeant.</param>
    /// <param name="name">What it says, or null.</param>
    /// <returns>Null, or what is wrong, as the end of a sentence that begins with the name.</returns>
    public static string? TryParse(string text, out RbdName? name)
    {
        name = null;
        string[] words = text[Prefix.Length..].Split(':');
        string path = words[0];
        string? snapshot = null;
        if (path.IndexOf('@', StringComparison.Ordinal) is >= 0 and int mark)
            (path, snapshot) = (path[..mark], path[(mark + 1)..]);
        string[] parts = path.Split('/');
        if (parts.Length is not (2 or 3) || Array.Exists(parts, part => part.Length == 0))
            return $"names no pool and image; {Form}";
        if (snapshot is { Length: 0 } || snapshot?.Contains('@', StringComparison.Ordinal) == true)
            return $"has no snapshot behind its '@'; {Form}";
        if (text.Contains('\0', StringComparison.Ordinal))
            return "has a NUL inside";
        RbdName made = new()
        {
            Text = text,
            Pool = parts[0],
            Namespace = parts.Length == 3 ? parts[1] : "",
            Image = parts[^1],
            Snapshot = snapshot,
        };
        foreach (string word in words[1..])
        {
            int end = word.IndexOf('=', StringComparison.Ordinal);
            string value = end < 0 ? "" : word[(end + 1)..];
            if (value.Length == 0 || word[..end] is not ("conf" or "id"))
                return $"has ':{word}' at its end, which is not known; {Form}";
            made = word[..end] == "conf" ? made with { Configuration = value } : made with { User = value };
        }
        name = made;
        return null;
    }
}
