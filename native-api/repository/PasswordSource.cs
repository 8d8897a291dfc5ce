// Where the password of a repository comes from: a file that only its owner can read, a command, or the environment, by
// our names or restic's. Never the command line, which everybody on the machine sees; never shown, nor in an error.
using System;

namespace FastBackup.Repositories;

static class PasswordSource
{
    /// <summary>What names an existing password: in the order in which they count.</summary>
    static readonly string[] s_prefixes = ["FASTBACKUP_PASSWORD", "RESTIC_PASSWORD"];

    /// <summary>A new one, for add-key.</summary>
    static readonly string[] s_newPrefixes = ["FASTBACKUP_NEW_PASSWORD"];

    /// <param name="file">Null: the command, or the environment says.</param>
    /// <param name="command">As a shell reads it; null: the file, or the environment says.</param>
    /// <param name="fileOption">How people give the file, for sentences.</param>
    /// <exception cref="RepositoryException">There is none, or it cannot be had.</exception>
    public static string Read(string? file, string? command, string fileOption) =>
        command != null ? FromCommand(command) : Read(file, s_prefixes, fileOption);

    /// <summary>The second one of add-key.</summary>
    public static string ReadNew(string? file) => Read(file, s_newPrefixes, "--new-password-file");

    static string Read(string? file, string[] prefixes, string option)
    {
        if (file != null)
            return FromFile(file);
        foreach (string prefix in prefixes)
        {
            if (Environment.GetEnvironmentVariable(prefix) is { Length: > 0 } password)
                return password;
            if (Environment.GetEnvironmentVariable(prefix + "_FILE") is { Length: > 0 } path)
                return FromFile(path);
            if (Environment.GetEnvironmentVariable(prefix + "_COMMAND") is { Length: > 0 } command)
                return FromCommand(command);
        }
        throw new RepositoryException(
            RepositoryError.Refused,
            $"there is no password; give {option} FILE, or {prefixes[0]}, {prefixes[0]}_FILE or {prefixes[0]}_COMMAND "
                + "in the environment"
        );
    }

    static string FromFile(string path) =>
        Checked(SecretText.FromFile(path, "password file"), $"password file '{path}'");

    static string FromCommand(string command) =>
        Checked(SecretText.FromCommand(command, "password command"), "what the password command has written");

    /// <summary>Without what stands around it, as restic takes it.</summary>
    static string Checked(string text, string what)
    {
        string password = text.Trim();
        return password.Length > 0
            ? password
            : throw new RepositoryException(
                RepositoryError.Refused,
                $"{what} is empty; a password has a letter at least"
            );
    }
}
