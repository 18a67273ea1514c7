// What the platform knows of each provider, as data: where it is asked, what it needs, and where its answers name a person.
// Of any other name it knows nothing: the owner gives the URLs, and the fields are those of OpenID Connect or close to it.

/** A provider's words about somebody, before any of them is believed. */
export interface RawProfile {
  id: unknown;
  email: unknown;
  /** Whether the provider itself says that the address is this person's; what it leaves out is no. */
  emailVerified: unknown;
  name: unknown;
  picture: unknown;
}

export type Claims = Readonly<Record<string, unknown>>;

export interface ProviderKind {
  readonly authorizationUrl: string | null;
  readonly tokenUrl: string | null;
  /** Asked for the profile, unless there are `keysUrl` and thus an ID token. */
  readonly userinfoUrl: string | null;
  /** What it calls itself in ID tokens and in `iss` of its redirect; where that is not known, `iss` is not looked at. */
  readonly issuer: string | null;
  /** Its JWKS. With it the person is read from the ID token. */
  readonly keysUrl: string | null;
  readonly scopes: readonly string[];
  readonly scopeSeparator: " " | ",";
  readonly authorizeParameters: Readonly<Record<string, string>>;
  readonly userinfoParameters: Readonly<Record<string, string>>;
  /** Path below the user info URL that lists further addresses. */
  readonly addressesPath: string | null;
  /** Whether it takes a code challenge. */
  readonly pkce: boolean;
  /** Whether its ID tokens repeat the nonce. */
  readonly nonce: boolean;
  readonly tokenAuth: TokenAuth;
  readonly profile: (claims: Claims, addresses: readonly Claims[]) => RawProfile;
}

/** How the client shows at the token endpoint who it is; `apple`: by a JWT that it signs. */
export type TokenAuth = "client_secret_post" | "client_secret_basic" | "apple";

const custom: ProviderKind = {
  authorizationUrl: null,
  tokenUrl: null,
  userinfoUrl: null,
  issuer: null,
  keysUrl: null,
  scopes: [],
  scopeSeparator: " ",
  authorizeParameters: {},
  userinfoParameters: {},
  addressesPath: null,
  pkce: true,
  nonce: true,
  tokenAuth: "client_secret_post",
  profile: (claims) => ({
    id: claims["sub"] ?? claims["id"],
    email: claims["email"],
    emailVerified: claims["email_verified"],
    name: claims["name"] ?? claims["display_name"],
    picture: claims["picture"] ?? claims["avatar_url"],
  }),
};

const known: ReadonlyMap<string, ProviderKind> = new Map(Object.entries(
  {
    google: {
      ...custom,
      authorizationUrl: "https://accounts.google.com/o/oauth2/v2/auth",
      tokenUrl: "https://oauth2.googleapis.com/token",
      userinfoUrl: "https://openidconnect.googleapis.com/v1/userinfo",
      issuer: "https://accounts.google.com",
      keysUrl: "https://www.googleapis.com/oauth2/v3/certs",
      scopes: ["openid", "email", "profile"],
      authorizeParameters: { access_type: "offline" },
    },
    github: {
      ...custom,
      authorizationUrl: "https://github.com/login/oauth/authorize",
      tokenUrl: "https://github.com/login/oauth/access_token",
      userinfoUrl: "https://api.github.com/user",
      issuer: "https://github.com/login/oauth",
      scopes: ["user:email"],
      addressesPath: "/emails",
      profile: (user, addresses) => {
        const address = typeof user["email"] === "string"
          ? addresses.find(({ email }) => email === user["email"]) ?? { email: user["email"] }
          : addresses.find(({ primary }) => primary === true) ?? addresses[0] ?? {};
        return {
          id: user["id"],
          email: address["email"],
          emailVerified: address["verified"],
          name: user["name"] ?? user["login"],
          picture: user["avatar_url"],
        };
      },
    },
    discord: {
      ...custom,
      authorizationUrl: "https://discord.com/api/oauth2/authorize",
      tokenUrl: "https://discord.com/api/oauth2/token",
      userinfoUrl: "https://discord.com/api/users/@me",
      scopes: ["identify", "email"],
      profile: ({ id, email, verified, global_name, username, avatar }) => ({
        id,
        email: email ?? `${id}@users.noreply.discord.local`,
        emailVerified: typeof email === "string" && verified,
        name: global_name ?? username,
        picture: typeof avatar === "string" ? `https://cdn.discordapp.com/avatars/${id}/${avatar}.png` : null,
      }),
    },
    facebook: {
      ...custom,
      authorizationUrl: "https://www.facebook.com/v21.0/dialog/oauth",
      tokenUrl: "https://graph.facebook.com/v21.0/oauth/access_token",
      userinfoUrl: "https://graph.facebook.com/v21.0/me",
      scopes: ["email", "public_profile"],
      scopeSeparator: ",",
      userinfoParameters: { fields: "id,email,name,first_name,last_name,picture" },
      profile: ({ id, email, name, picture }) => ({
        id,
        email,
        emailVerified: false,
        name,
        picture: field(field(picture, "data"), "url"),
      }),
    },
    linkedin: {
      ...custom,
      authorizationUrl: "https://www.linkedin.com/oauth/v2/authorization",
      tokenUrl: "https://www.linkedin.com/oauth/v2/accessToken",
      issuer: "https://www.linkedin.com/oauth",
      keysUrl: "https://www.linkedin.com/oauth/openid/jwks",
      scopes: ["openid", "profile", "email"],
      pkce: false,
      nonce: false,
    },
    microsoft: {
      ...custom,
      authorizationUrl: "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
      tokenUrl: "https://login.microsoftonline.com/common/oauth2/v2.0/token",
      userinfoUrl: "https://graph.microsoft.com/v1.0/me",
      scopes: ["openid", "email", "profile", "User.Read"],
      // A tenant's administrator writes any address there.
      profile: ({ id, mail, userPrincipalName, displayName }) => ({
        id,
        email: mail ?? userPrincipalName,
        emailVerified: false,
        name: displayName,
        picture: null,
      }),
    },
    apple: {
      ...custom,
      authorizationUrl: "https://appleid.apple.com/auth/authorize",
      tokenUrl: "https://appleid.apple.com/auth/token",
      issuer: "https://appleid.apple.com",
      keysUrl: "https://appleid.apple.com/auth/keys",
      scopes: ["name", "email"],
      authorizeParameters: { response_type: "code id_token", response_mode: "form_post" },
      pkce: false,
      tokenAuth: "apple",
      profile: ({ sub, email, email_verified }) => ({
        id: sub,
        email,
        emailVerified: email_verified,
        name: typeof email === "string" ? email.slice(0, email.indexOf("@")) : null,
        picture: null,
      }),
    },
    x: {
      ...custom,
      authorizationUrl: "https://twitter.com/i/oauth2/authorize",
      tokenUrl: "https://api.twitter.com/2/oauth2/token",
      userinfoUrl: "https://api.twitter.com/2/users/me",
      scopes: ["tweet.read", "users.read"],
      userinfoParameters: { "user.fields": "profile_image_url" },
      tokenAuth: "client_secret_basic",
      profile: ({ data }) => ({
        id: field(data, "id"),
        email: typeof field(data, "username") === "string"
          ? `${field(data, "username")}@users.noreply.x.local`
          : null,
        emailVerified: false,
        name: field(data, "name"),
        picture: field(data, "profile_image_url"),
      }),
    },
  } satisfies Record<string, ProviderKind>,
));

/** Names of the providers that need no URLs. */
export const knownProviders: readonly string[] = [...known.keys()];

export function kindOf(provider: string): ProviderKind {
  return known.get(provider) ?? custom;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
