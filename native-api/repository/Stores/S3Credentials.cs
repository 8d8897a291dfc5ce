// Name and secret of an S3 account: from the environment by the names that all programs know, from a file of the form
// that they share (AWS_SHARED_CREDENTIALS_FILE, mode 0600), or from a command that writes such lines
// (FASTBACKUP_S3_CREDENTIALS_COMMAND). Never from the command line.
using System;
using System.Collections.Generic;
using System.IO;

namespace FastBackup.Repositories;

/// <param name="Name">The access key's.</param>
/// <param name="Secret">Never shown.</param>
/// <param name="Token">Of a session; null: none.</param>
sealed record S3Credentials(string Name, string Secret, string? Token)
{
    const string Command = "FASTBACKUP_S3_CREDENTIALS_COMMAND";
    const string FileName = "AWS_SHARED_CREDENTIALS_FILE";

    /// <exception cref="RepositoryException">There are none, or they cannot be had.</exception>
    public static S3Credentials Read()
    {
        if (Of("AWS_ACCESS_KEY_ID") is { } name && Of("AWS_SECRET_ACCESS_KEY") is { } secret)
            return new S3Credentials(name, secret, Of("AWS_SESSION_TOKEN"));
        if (Of(Command) is { } command)
            return Parse(SecretText.FromCommand(command, "credentials command"), "default", Command);
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string path = Of(FileName) ?? Path.Combine(home, ".aws", "credentials");
        if (Of(FileName) != null || File.Exists(path))
            return Parse(SecretText.FromFile(path, "credentials file"), Of("AWS_PROFILE") ?? "default", path);
        throw new RepositoryException(
            RepositoryError.Refused,
            $"there are no credentials for S3; give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, {FileName} or "
                + $"{Command} in the environment"
        );
    }

    /// <summary>Not the secret.</summary>
    public override string ToString() => Name;

    /// <param name="text">Lines NAME = VALUE, in sections; those before the first count as the default's.</param>
    /// <param name="profile">The section.</param>
    /// <param name="where">For sentences.</param>
    public static S3Credentials Parse(string text, string profile, string where)
    {
        Dictionary<string, string> values = new(StringComparer.OrdinalIgnoreCase);
        string section = "default";
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.Trim();
            int mark = line.IndexOf('=', StringComparison.Ordinal);
            if (line.StartsWith('[') && line.EndsWith(']'))
                section = line[1..^1].Trim();
            else if (section == profile && mark > 0 && !line.StartsWith('#'))
                values[line[..mark].Trim()] = line[(mark + 1)..].Trim();
        }
        return
            values.GetValueOrDefault("aws_access_key_id") is { Length: > 0 } name
            && values.GetValueOrDefault("aws_secret_access_key") is { Length: > 0 } secret
            ? new S3Credentials(name, secret, values.GetValueOrDefault("aws_session_token"))
            : throw new RepositoryException(
                RepositoryError.Refused,
                $"'{where}' has no aws_access_key_id and aws_secret_access_key of profile '{profile}'"
            );
    }

    static string? Of(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;
}
