// A repository is made, and passwords come and go.
using System.Linq;
using FastBackup.Repositories;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class KeyRun(RepositoryWork work)
{
    const int DigitsMin = 4;

    public int Init() =>
        work.Run(
            new RepositoryDoneEvent("done", "repo", "init"),
            done =>
            {
                OpenedRepository made = work.Create();
                work.Output.Line($"made repository {made.Config.Id[..10]} at '{made.Store.Name}'");
                work.Output.Line("whoever loses the password loses what is in it: nobody can open it without");
                return done;
            }
        );

    /// <param name="newPasswordFile">Of an option; null: the environment says.</param>
    public int Add(string? newPasswordFile) =>
        work.Run(
            new RepositoryDoneEvent("done", "repo", "add-key"),
            done =>
            {
                OpenedRepository repository = work.Open();
                string password = PasswordSource.ReadNew(newPasswordFile);
                string name = new KeyFiles(repository.Store).Add(repository.Key, password);
                work.Output.Line($"added key {name[..8]}");
                return done with { Keys = [new KeyEntry(name, null, null, null, false)] };
            }
        );

    /// <param name="digits">The first of its name.</param>
    public int Remove(string digits) =>
        work.Run(
            new RepositoryDoneEvent("done", "repo", "remove-key"),
            done =>
            {
                OpenedRepository repository = work.Open();
                _ = work.TakeLock(isExclusive: true);
                string[] fitting =
                [
                    .. repository
                        .Store.List(StoreKind.Key)
                        .Select(file => file.Name)
                        .Where(name => name.StartsWith(digits, System.StringComparison.Ordinal)),
                ];
                if (fitting.Length != 1 || digits.Length < DigitsMin)
                    throw new RepositoryException(
                        RepositoryError.NotFound,
                        $"{fitting.Length} keys of '{repository.Store.Name}' begin with '{digits}'; "
                            + $"give {DigitsMin} digits at least that one key begins with; 'repo keys' shows them"
                    );
                if (fitting[0] == repository.KeyName)
                    throw new RepositoryException(
                        RepositoryError.Refused,
                        $"key {digits} is the one that the given password opens; open by another one to remove it"
                    );
                repository.Store.Remove(StoreKind.Key, fitting[0]);
                work.Output.Line($"removed key {fitting[0][..8]}");
                return done with { Keys = [new KeyEntry(fitting[0], null, null, null, false)] };
            }
        );
}
