// The polynomial that a repository's config must have: stock restic cuts its own files by it, and refuses one that can
// be divided. Ours are cut at fixed places and need none, but both may back up into one repository.
//
// Over the field of two elements, degree 53. f of degree n is irreducible if it has no factor in common with
// x^(2^i) - x for any i up to n / 2. About one in 53 is, so a few dozen are tried.
// Source: restic's doc/design.rst, Backups and Deduplication; M. Ben-Or, Probabilistic algorithms in finite fields.
using System.Numerics;
using System.Security.Cryptography;

namespace FastBackup.Repositories;

static class ChunkerPolynomial
{
    const int Degree = 53;

    /// <summary>As hexadecimal digits.</summary>
    public static string Random()
    {
        byte[] bytes = new byte[8];
        while (true)
        {
            RandomNumberGenerator.Fill(bytes);
            ulong tried = System.BitConverter.ToUInt64(bytes) & ((1UL << Degree) - 1) | 1UL << Degree | 1;
            if (IsIrreducible(tried))
                return tried.ToString("x", System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    public static bool IsIrreducible(ulong polynomial)
    {
        const ulong x = 2;
        ulong power = x;
        for (int i = 1; i <= DegreeOf(polynomial) / 2; i++)
        {
            power = MultiplyModulo(power, power, polynomial);
            if (CommonDivisor(polynomial, power ^ x) != 1)
                return false;
        }
        return true;
    }

    static int DegreeOf(ulong value) => value == 0 ? -1 : BitOperations.Log2(value);

    static ulong MultiplyModulo(ulong left, ulong right, ulong modulus)
    {
        ulong result = 0;
        ulong top = 1UL << DegreeOf(modulus);
        for (; right != 0; right >>= 1)
        {
            if ((right & 1) != 0)
                result ^= left;
            left <<= 1;
            if ((left & top) != 0)
                left ^= modulus;
        }
        return result;
    }

    static ulong CommonDivisor(ulong left, ulong right)
    {
        while (right != 0)
        {
            while (DegreeOf(left) >= DegreeOf(right))
                left ^= right << (DegreeOf(left) - DegreeOf(right));
            (left, right) = (right, left);
        }
        return left;
    }
}
